"""How one is recognized: the header alone, the right audience, the standing of this moment."""

import pytest

from app.storage.models import ApiKeyRow

REALM = 'Bearer realm="http://127.0.0.1:8000"'
DEFAULT = "http://127.0.0.1:8000"
ME = "/v1/me"


def test_a_token_and_a_key_are_recognized(api, token, installation, operator):
    by_token = api(token(["keyturn:clients:read"])).get(ME).json()
    assert by_token["type"] == "client"
    assert by_token["id"].startswith("client_")
    assert by_token["scopes"] == ["keyturn:clients:read"]
    assert by_token["expires_at"].endswith("Z")
    key = installation.api_key(["keyturn:clients:*"], environment="test")
    assert api(key.key).get(ME).json() == {
        "type": "api_key",
        "id": key.id,
        "organization": {"id": operator.organization_id, "name": "Operator"},
        "environment": "test",
        "scopes": ["keyturn:clients:read", "keyturn:clients:write"],
        "expires_at": None,
        "acts_from": None,
    }


@pytest.mark.parametrize(
    ("header", "code", "challenge"),
    [
        ("", "missing", REALM),
        ("Bearer", "malformed", REALM + ', error="invalid_token"'),
        ("Bearer ", "malformed", REALM + ', error="invalid_token"'),
        ("{key}", "malformed", REALM + ', error="invalid_token"'),
        ("Bearer {key} {key}", "malformed", REALM + ', error="invalid_token"'),
        ("Bearer {key}, Bearer {key}", "malformed", REALM + ', error="invalid_token"'),
        ('Bearer "{key}"', "malformed", REALM + ', error="invalid_token"'),
        ("Bearer\t{key}", "malformed", REALM + ', error="invalid_token"'),
        ("Basic {key}", "malformed", REALM),
        ("Basic a2V5Og==", "malformed", REALM),
        ("ApiKey {key}", "malformed", REALM),
        ("Bearer x" + "y" * 20000, "invalid_token", REALM + ', error="invalid_token"'),
        ("Bearer {key}x", "invalid_token", REALM + ', error="invalid_token"'),
        ("Bearer x{key}", "invalid_token", REALM + ', error="invalid_token"'),
    ],
    ids=lambda value: str(value)[:24],
)
def test_headers(api, operator, header, code, challenge):
    headers = {"Authorization": header.format(key=operator.key)} if header else {}
    response = api().get(ME, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (401, code)
    assert response.headers["WWW-Authenticate"].startswith(challenge)
    if "error" not in challenge:
        assert "error" not in response.headers["WWW-Authenticate"]
    assert operator.key not in response.text


@pytest.mark.parametrize("header", ["bearer {key}", "BEARER {key}", "Bearer    {key}"])
def test_the_scheme_is_written_as_one_likes(api, operator, header):
    headers = {"Authorization": header.format(key=operator.key)}
    assert api().get(ME, headers=headers).status_code == 200


@pytest.mark.parametrize("name", ["access_token", "api_key", "key", "token", "authorization"])
def test_never_from_the_url(api, operator, name):
    alone = api().get(f"{ME}?{name}={operator.key}")
    assert alone.status_code == 401
    assert alone.headers["WWW-Authenticate"] == REALM
    both = operator.admin.get(f"{ME}?{name}={operator.key}")
    assert (both.status_code, both.json()["error"]["code"]) == (401, "in_query")
    assert operator.key not in alone.text + both.text


def test_never_from_a_body_a_cookie_or_another_header(api, operator):
    stranger = api()
    for also in (
        {"json": {"access_token": operator.key}},
        {"data": {"access_token": operator.key}},
        {"headers": {"Cookie": f"access_token={operator.key}"}},
        {"headers": {"X-Api-Key": operator.key}},
    ):
        assert stranger.post("/v1/clients", **also).status_code == 401


# Audiences --------------------------------------------------------------------------------


def test_a_plain_request_of_an_administrator_is_for_us(api, token):
    assert api(token(["keyturn:*"])).get("/v1/clients").status_code == 200


def test_a_token_for_a_resource_alone_is_refused(api, token, installation):
    """The resource has seen it, and must not be able to administer us with it."""
    installation.resource("https://bookings.example", scopes=["bookings:*"])
    plain = token(["bookings:read"])
    response = api(plain).get(ME)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_token")
    asked = token(["keyturn:*"], form={"resource": "https://bookings.example"})
    assert api(asked).get("/v1/clients").status_code == 401
    named = token(["keyturn:*", "bookings:*"], form={"resource": DEFAULT})
    assert api(named).get("/v1/clients").status_code == 200
    mixed = token(["keyturn:*", "bookings:*"])
    assert api(mixed).get("/v1/clients").status_code == 200


# The standing of this moment ----------------------------------------------------------------


def test_a_disabled_client(api, installation):
    client = installation.client(["keyturn:*"])
    form = {"grant_type": "client_credentials"}
    caller = api(
        installation.http.post("/oauth/token", auth=tuple(client), data=form).json()["access_token"]
    )
    assert caller.get(ME).status_code == 200
    installation.disable(client.client_id)
    assert caller.get(ME).status_code == 401
    installation.enable(client.client_id)
    assert caller.get(ME).status_code == 200
    installation.delete_client(client.client_id)
    assert caller.get(ME).status_code == 401


def test_a_right_that_was_taken_is_gone_at_once(api, installation, operator):
    client = installation.client(["keyturn:*"])
    form = {"grant_type": "client_credentials"}
    caller = api(
        installation.http.post("/oauth/token", auth=tuple(client), data=form).json()["access_token"]
    )
    assert caller.get("/v1/clients").status_code == 200
    url = f"/v1/clients/{client.client_id}"
    assert operator.admin.patch(url, json={"scopes": ["keyturn:keys:read"]}).status_code == 200
    assert caller.get(ME).json()["scopes"] == ["keyturn:keys:read"]
    assert caller.get("/v1/clients").status_code == 403
    # A right that is given needs a new token.
    assert operator.admin.patch(url, json={"scopes": ["keyturn:*"]}).status_code == 200
    narrowed = installation.http.post(
        "/oauth/token", auth=tuple(client), data=form | {"scope": "keyturn:keys:read"}
    ).json()["access_token"]
    assert api(narrowed).get("/v1/clients").status_code == 403


def test_a_suspended_organization(api, installation, tenant):
    ours = tenant()
    assert ours.admin.get(ME).status_code == 200
    installation.suspend(ours.organization_id)
    assert ours.admin.get(ME).status_code == 401
    installation.resume(ours.organization_id)
    assert ours.admin.get(ME).status_code == 200


@pytest.mark.parametrize("how", ["revoked", "disabled", "rotated"])
def test_a_key_that_is_over(api, installation, operator, how):
    key = installation.api_key(["keyturn:*"])
    caller = api(key.key)
    assert caller.get(ME).status_code == 200
    url = f"/v1/api-keys/{key.id}"
    if how == "revoked":
        assert operator.admin.delete(url).status_code == 204
    elif how == "disabled":
        assert operator.admin.patch(url, json={"status": "disabled"}).status_code == 200
    else:
        rotated = operator.admin.post(f"{url}/rotate", json={"grace_seconds": 0})
        assert api(rotated.json()["key"]).get(ME).status_code == 200
    response = caller.get(ME)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_token")
    assert operator.admin.get(url).json()["status"] == how


def test_an_expired_key(api, installation):
    key = installation.api_key(["keyturn:*"], expires_in=60)
    caller = api(key.key)
    assert caller.get(ME).status_code == 200
    with installation.desk.store.transaction(installation.operator) as work:
        row = work.session.get(ApiKeyRow, key.id)
        row.expires_at = work.now
        work.changed("api_key", row.digest.hex())
    assert caller.get(ME).status_code == 401


def test_a_revoked_token(api, installation):
    client = installation.client(["keyturn:*"])
    form = {"grant_type": "client_credentials"}
    token = installation.http.post("/oauth/token", auth=tuple(client), data=form).json()
    caller = api(token["access_token"])
    assert caller.get(ME).status_code == 200
    done = installation.http.post(
        "/oauth/revoke", auth=tuple(client), data={"token": token["access_token"]}
    )
    assert done.status_code == 200
    assert caller.get(ME).status_code == 401


def test_restrictions_of_a_key_hold_here_too(api, installation):
    elsewhere = api(installation.api_key(["keyturn:*"], allowed_ips=["192.0.2.0/24"]).key)
    response = elsewhere.get(ME)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "ip_not_allowed")
    forged = elsewhere.get(ME, headers={"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1"})
    assert forged.status_code == 403
    here = api(installation.api_key(["keyturn:*"], allowed_ips=["127.0.0.0/8"]).key)
    assert here.get(ME).status_code == 200
    bound = api(installation.api_key(["keyturn:*"], allowed_domains=["a.example"]).key)
    assert bound.get(ME, headers={"Origin": "https://evil.example"}).status_code == 403
    assert bound.get(ME, headers={"Origin": "https://a.example"}).status_code == 200


def test_a_client_secret_is_no_bearer(api, installation):
    assert api(installation.client(["keyturn:*"]).client_secret).get(ME).status_code == 401
