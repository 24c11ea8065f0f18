"""Fixtures of the library's tests."""

from datetime import timedelta

import pytest

from keyturn import Verifier
from tests.keyturn.support import AUDIENCE, Time, running_issuer


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def issuer():
    with running_issuer() as running:
        yield running


@pytest.fixture
def verifier_of(issuer, time):
    """A verifier of tokens and keys at the running issuer."""
    made = []

    def make(**changes):
        settings = {
            "audience": AUDIENCE,
            "client_id": "api_1",
            "client_secret": "kts_live_x",
            "timeout": timedelta(seconds=5),
            "clock": time.now,
            "monotonic": time.monotonic,
        }
        made.append(Verifier(issuer.url, **settings | changes))
        return made[-1]

    yield make
    for verifier in made:
        verifier.close()
