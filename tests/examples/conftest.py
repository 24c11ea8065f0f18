"""The booking API before a really served issuer, with two organizations."""

from datetime import timedelta

import pytest

from tests.examples.support import bookings_api, organization_with_catalogue


@pytest.fixture(scope="module")
def harbour(installation):
    """An organization with the example's catalogue."""
    return organization_with_catalogue(installation, "Harbour")


@pytest.fixture(scope="module")
def hills(installation):
    """Another one."""
    return organization_with_catalogue(installation, "Hills")


@pytest.fixture(scope="module")
def bookings(installation, server, harbour):
    """The API, called with credentials of `harbour` unless said otherwise."""
    with bookings_api(installation, server, harbour) as api:
        yield api


@pytest.fixture(scope="module")
def forgetful(installation, server, harbour):
    """The same, remembering nothing of what it is told about a key."""
    with bookings_api(installation, server, harbour, max_staleness=timedelta(0)) as api:
        yield api
