"""The booking API as its own developers would test it: an issuer in memory, and no server."""

from datetime import timedelta

import pytest

from examples.bookings import guard
from examples.bookings.app import Settings, create_app
from keyturn.testing import TestIssuer
from tests.examples.support import AUDIENCE


@pytest.fixture
def issuer():
    return TestIssuer(audience=AUDIENCE)


@pytest.fixture
def call(issuer):
    settings = Settings(issuer.url, AUDIENCE, "client_1", "kts_live_x", timedelta(0))
    app = create_app(settings, http_client=issuer.http_client)
    http = app.test_client()

    def called(path, credential):
        return http.get(path, headers={"Authorization": f"Bearer {credential}"})

    yield called
    app.extensions[guard.VERIFIER].close()


@pytest.mark.parametrize("kind", ["token", "api_key"])
@pytest.mark.parametrize(
    ("scope", "status"), [("bookings:read", 200), ("bookings:create", 403), ("", 403)]
)
def test_who_may_read_bookings(issuer, call, kind, scope, status):
    credential = getattr(issuer, kind)(scope)
    assert call("/v1/bookings", credential).status_code == status


def test_who_may_not_come_in(issuer, call):
    key = issuer.api_key("bookings:read")
    assert call("/v1/bookings", key).status_code == 200
    issuer.revoke(key)
    over = issuer.token("bookings:read", expires_in=timedelta(hours=-1))
    other = issuer.token("bookings:read", audience="https://other.test")
    for credential in (key, over, other, "kt_live_mistyped"):
        assert call("/v1/bookings", credential).status_code == 401
