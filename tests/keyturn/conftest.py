"""Fixtures of the library's tests."""

import pytest

from tests.keyturn.support import Time, running_issuer


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def issuer():
    with running_issuer() as running:
        yield running
