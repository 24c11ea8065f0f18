"""How `/v1` refuses: in its own words, or in those of the caller's organization."""

import pytest

from app.builtin import administration
from tests.support.installation import installed

ALL = sorted(administration(operator=False))


def refused(installation, key, method="GET", path="/v1/me", **also):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return installation.http.request(method, path, headers=headers, **also)


@pytest.fixture
def key_under(installation):
    """``key_under(profile)``: a new organization and a key of it."""

    def make(profile, scopes=()):
        organization = installation.organization(profile=profile)
        return organization, installation.api_key(
            scopes, organization=organization, environment="live"
        )

    return make


FORBIDDEN = {
    "bookingscheduler": {
        "success": False,
        "error": {
            "code": "FORBIDDEN",
            "message": "Your API key does not have permission to access this resource.",
        },
    },
    "experiencelocal": {
        "error": {
            "code": "forbidden",
            "message": "Your API key doesn't have permission for this operation.",
        }
    },
}


@pytest.mark.parametrize("profile", FORBIDDEN)
def test_a_right_that_is_not_held(installation, key_under, profile):
    _, key = key_under(profile)
    response = refused(installation, key.key, path="/v1/api-keys")
    assert (response.status_code, response.json()) == (403, FORBIDDEN[profile])
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


REVOKED = {
    "reservekit": ("revoked", "API key revoked"),
    "astrocal": ("unauthorized", "Missing or invalid Authorization header"),
}


@pytest.mark.parametrize("profile", REVOKED)
def test_a_revoked_key_reads_as_its_organization_says(installation, key_under, profile):
    organization, key = key_under(profile)
    installation.revoke_key(key.id, organization=organization)
    response = refused(installation, key.key)
    code, message = REVOKED[profile]
    assert response.status_code == 401
    assert response.json() == {"error": {"code": code, "message": message}}
    slipped = key.key[:-1] + ("0" if key.key[-1] != "0" else "1")
    assert refused(installation, slipped).json()["error"]["code"] == "invalid_token"


def test_fields_are_named_under_every_profile(installation, key_under):
    _, key = key_under("bookingscheduler", ALL)
    response = refused(installation, key.key, "POST", "/v1/api-keys", json={"colour": "red"})
    assert response.status_code == 400
    body = response.json()
    assert body["success"] is False
    assert {one["field"] for one in body["error"]["details"]} == {"name", "colour"}


def test_the_default_profile_leaves_the_api_its_own_words(installation, key_under):
    _, key = key_under("problem+json")
    response = refused(installation, key.key, path="/v1/api-keys")
    assert response.json()["error"].keys() == {"code", "message", "request_id"}
    assert response.headers["Content-Type"] == "application/json"


def test_the_owner_finds_the_reason_by_request_id(installation, key_under):
    organization, key = key_under("astrocal")
    installation.revoke_key(key.id, organization=organization)
    response = refused(installation, key.key)
    assert "revoked" not in response.text
    installation.services.shipper.ship_now()
    reader = installation.api_key(["keyturn:audit:read"], organization=organization)
    found = refused(
        installation,
        reader.key,
        path=f"/v1/activity?request_id={response.headers['X-Request-Id']}",
    ).json()["data"]
    assert [(one["type"], one["reason"]) for one in found] == [("api_key.refused", "revoked")]
    assert found[0]["actor"] == {"type": "api_key", "id": key.id}


def test_oauth_endpoints_are_never_restyled(tmp_path):
    with installed(tmp_path, KEYTURN_API_PROFILE="astrocal") as other:
        for path in ("/oauth/token", "/oauth/introspect"):
            response = other.http.post(path, data={"grant_type": "client_credentials"})
            assert response.json() == {
                "error": "invalid_client",
                "error_description": "Client authentication failed",
            }
        assert "request_id" in other.http.get("/nowhere").json()["error"]


@pytest.mark.row("S3-29")
def test_strangers_read_the_profile_of_the_installation(tmp_path):
    with installed(tmp_path, KEYTURN_API_PROFILE="astrocal") as other:
        revoked = other.api_key()
        other.revoke_key(revoked.id)
        for authorization in (None, "Basic eDp5", "Bearer", "Bearer kt_live_x", revoked.key):
            headers = {"Authorization": authorization} if authorization else {}
            response = other.http.get("/v1/api-keys", headers=headers)
            assert response.status_code == 401
            assert response.json() == {
                "error": {
                    "code": "unauthorized",
                    "message": "Missing or invalid Authorization header",
                }
            }
