"""Fixtures for those who test an API that uses keyturn; they come with `pip install keyturn`.

A module of its own beside the package, which it imports only when a fixture is used: pytest loads
this in every run, and keyturn itself must not be in a process before its coverage is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from keyturn import Verifier
    from keyturn.testing import TestIssuer


@pytest.fixture
def keyturn_issuer() -> TestIssuer:
    """An issuer in memory. Define a fixture of this name to have another URL or audience."""
    from keyturn.testing import TestIssuer

    return TestIssuer()


@pytest.fixture
def keyturn_verifier(keyturn_issuer: TestIssuer) -> Iterator[Verifier]:
    """A verifier of its tokens and keys."""
    verifier = keyturn_issuer.verifier()
    yield verifier
    verifier.close()


@pytest.fixture
def keyturn_token(keyturn_issuer: TestIssuer) -> Callable[..., str]:
    """Makes tokens: `keyturn_token("bookings:read", org="org_1")`."""
    return keyturn_issuer.token


@pytest.fixture
def keyturn_api_key(keyturn_issuer: TestIssuer) -> Callable[..., str]:
    """Makes API keys: `keyturn_api_key("bookings:read")`."""
    return keyturn_issuer.api_key
