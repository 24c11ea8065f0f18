"""Nobody gives what they do not hold, and nobody sets what the server sets."""

import pytest

from tests.api.support import fields_of

HOLDS = ["keyturn:clients:write", "keyturn:keys:write", "keyturn:users:write", "bookings:read"]


@pytest.fixture(scope="module")
def limited(installation, api):
    """Holds rights of administration, and of the rest ``bookings:read`` alone."""
    return api(installation.api_key(HOLDS).key)


@pytest.mark.parametrize(
    "scope",
    [
        "bookings:write",
        "bookings:*",
        "reports:read",
        "keyturn:*",
        "keyturn:clients:read",
        "keyturn:organizations:write",
        "keyturn:act-as-organization",
    ],
)
@pytest.mark.parametrize("path", ["/v1/clients", "/v1/api-keys"])
def test_scopes_that_are_not_held(limited, path, scope):
    body = {"name": "x", "scopes": ["bookings:read", scope]}
    response = limited.post(path, json=body)
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "insufficient_scope"
    assert "key" not in response.json()
    body["scopes"] = ["bookings:read"]
    assert limited.post(path, json=body).json()["scopes"] == ["bookings:read"]


@pytest.mark.parametrize("path", ["/v1/clients", "/v1/api-keys"])
def test_presets_are_no_way_around(limited, installation, path):
    name = installation.preset(f"mighty-{path[4:]}", ["reports:read"])
    assert limited.post(path, json={"name": "x", "preset": name}).status_code == 403


def test_updates_are_no_way_around(limited):
    made = limited.post("/v1/clients", json={"name": "x", "scopes": ["bookings:read"]}).json()
    url = f"/v1/clients/{made['client_id']}"
    assert limited.patch(url, json={"scopes": ["reports:read"]}).status_code == 403
    assert limited.patch(url, json={"scopes": ["bookings:*"]}).status_code == 403
    assert limited.patch(url, json={"scopes": []}).json()["scopes"] == []


def test_another_ones_credential_is_no_way_around(limited, installation):
    """Whoever makes a secret or a successor can use it."""
    client = installation.client(["reports:read"])
    assert limited.post(f"/v1/clients/{client.client_id}/secrets", json={}).status_code == 403
    key = installation.api_key(["reports:read"])
    assert limited.post(f"/v1/api-keys/{key.id}/rotate", json={}).status_code == 403


def test_roles_are_no_way_around(limited):
    for role in ("owner", "admin", "developer", "auditor"):
        body = {"email": f"{role}@example.com", "role": role}
        assert limited.post("/v1/users", json=body).status_code == 403


def test_a_tenant_cannot_hold_what_is_the_operators(tenant):
    ours = tenant()
    for scope in ("keyturn:organizations:read", "keyturn:act-as-organization"):
        for path in ("/v1/clients", "/v1/api-keys"):
            response = ours.admin.post(path, json={"name": "x", "scopes": [scope]})
            assert response.status_code == 400
            assert response.json()["error"]["details"][0]["field"] == "scopes"
    wildcard = ours.admin.post("/v1/api-keys", json={"name": "x", "scopes": ["keyturn:*"]}).json()
    assert not {s for s in wildcard["scopes"] if "organization" in s or "signing" in s}


@pytest.mark.parametrize("scopes", [["no:such"], ["bookings:read", "no:such:*"], ["*"], ["a b"]])
@pytest.mark.parametrize("path", ["/v1/clients", "/v1/api-keys", "/v1/presets"])
def test_unknown_scopes(operator, path, scopes):
    response = operator.admin.post(path, json={"name": "x", "scopes": scopes})
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == "scopes"


SERVERS_OWN = {
    "/v1/clients": {
        "client_id": "client_mine",
        "client_secret": "mine",
        "client_secret_id": "sec_mine",
        "id": "x",
        "created_by": "usr_other",
        "user_id": "usr_other",
        "status": "active",
        "created_at": "2020-01-01T00:00:00Z",
        "last_used_at": None,
        "grant_types": ["password"],
        "is_operator": True,
    },
    "/v1/api-keys": {
        "id": "key_mine",
        "key": "kt_live_mine",
        "digest": "00",
        "prefix": "kt",
        "last_four": "mine",
        "created_by": "usr_other",
        "user_id": "usr_other",
        "userId": "usr_other",
        "status": "active",
        "rotated_from": "key_other",
        "rotated_to": None,
        "revoked_at": None,
    },
    "/v1/presets": {"id": "x", "created_at": "2020-01-01T00:00:00Z", "updated_at": None},
    "/v1/scopes": {"id": "x", "builtin": True, "created_at": None},
    "/v1/resources": {"id": "res_mine", "created_at": None},
    "/v1/users": {
        "id": "usr_mine",
        "status": "active",
        "password": "x",
        "password_hash": "x",
        "sign_in_secret": "x",
        "scopes": ["keyturn:*"],
    },
    "/v1/organizations": {"id": "org_mine", "is_operator": True, "status": "active"},
    "/v1/plans": {"id": "plan_mine", "created_at": None},
}
VALID = {
    "/v1/clients": {"name": "x", "scopes": []},
    "/v1/api-keys": {"name": "x", "scopes": []},
    "/v1/presets": {"name": "x", "scopes": ["bookings:read"]},
    "/v1/scopes": {"name": "mass:assignment"},
    "/v1/resources": {"identifier": "https://mass.example"},
    "/v1/users": {"email": "mass@example.com", "role": "auditor"},
    "/v1/organizations": {"name": "mass"},
    "/v1/plans": {"name": "mass"},
}


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [(path, *item) for path, fields in SERVERS_OWN.items() for item in fields.items()],
)
def test_what_the_server_sets_cannot_be_set(operator, path, field, value):
    response = operator.admin.post(path, json=VALID[path] | {field: value})
    assert response.status_code == 400
    assert response.json()["error"]["details"] == [{"field": field, "message": "No such field"}]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/clients/{client_id}", ["client_id", "organization_id", "environment", "created_by"]),
        (
            "/v1/api-keys/{key_id}",
            ["id", "organization_id", "environment", "scopes", "kind", "expires_at", "rotated_to"],
        ),
        ("/v1/presets/{preset}", ["name", "organization_id"]),
        ("/v1/resources/{resource_id}", ["id", "identifier", "organization_id"]),
        ("/v1/organizations/{organization_id}", ["id", "is_operator", "created_at"]),
        ("/v1/plans/{plan_id}", ["id", "created_at"]),
    ],
)
def test_what_is_for_life_cannot_be_changed(operator, things, path, fields):
    made = things(operator.organization_id)
    url = path.format_map(made)
    before = operator.admin.get(url).json()
    for field in fields:
        response = operator.admin.patch(url, json={field: "x"})
        assert response.status_code == 400
        assert response.json()["error"]["details"] == [{"field": field, "message": "No such field"}]
    assert operator.admin.get(url).json() == before


@pytest.mark.parametrize("path", ["/v1/clients/{client_id}", "/v1/api-keys/{key_id}"])
def test_status_beside_other_fields(operator, things, path):
    url = path.format_map(things(operator.organization_id))
    assert operator.admin.patch(url, json={"status": "disabled"}).json()["status"] == "disabled"
    assert operator.admin.patch(url, json={"status": "disabled"}).status_code == 200
    for status in ("revoked", "expired", "", "ACTIVE"):
        refused = operator.admin.patch(url, json={"status": status, "name": "refused"})
        assert (refused.status_code, fields_of(refused)) == (400, ["status"])
    # All of it or nothing.
    assert operator.admin.patch(url, json={"status": "active", "name": ""}).status_code == 400
    shown = operator.admin.get(url).json()
    assert (shown["status"], shown["name"] == "refused") == ("disabled", False)
    both = operator.admin.patch(url, json={"status": "active", "name": "other"}).json()
    assert (both["status"], both["name"]) == ("active", "other")


def test_what_a_scope_implies_is_given_to_its_holders(operator, installation, things, api):
    made = things(operator.organization_id)
    url = "/v1/scopes/{scope_name}".format_map(made)
    writer = api(installation.api_key(["keyturn:scopes:write", "bookings:read"]).key)
    refused = writer.patch(url, json={"implies": ["bookings:cancel"]})
    assert refused.status_code == 403
    assert writer.patch(url, json={"implies": ["bookings:read"]}).json()["implies"] == [
        "bookings:read"
    ]
    # What is implied already is left, not given.
    reader = api(installation.api_key(["keyturn:scopes:write"]).key)
    left = {"implies": ["bookings:read"], "public": True}
    assert reader.patch(url, json=left).json()["public"] is True
    client = installation.client([made["scope_name"]])
    answer = installation.http.post(
        "/oauth/token", auth=client, data={"grant_type": "client_credentials"}
    )
    assert answer.json()["scope"] == f"bookings:read {made['scope_name']}"


def test_a_built_in_scope_is_shown_and_stays(operator):
    url = "/v1/scopes/keyturn:clients:read"
    assert operator.admin.get(url).json()["builtin"] is True
    assert operator.admin.patch(url, json={"description": "x"}).status_code == 404
    assert operator.admin.delete(url).status_code == 404


def test_nobody_changes_a_mightier_user(operator, installation, api):
    new = {"email": "owner@mightier.example", "role": "owner"}
    url = f"/v1/users/{operator.admin.post('/v1/users', json=new).json()['id']}"
    assert operator.admin.patch(url, json={"role": "auditor"}).status_code == 409  # the last owner
    operator.admin.post("/v1/users", json={"email": "second@mightier.example", "role": "owner"})
    writer = api(installation.api_key(["keyturn:users:read", "keyturn:users:write"]).key)
    for change in ({"status": "disabled"}, {"role": "auditor"}, {"name": "x"}):
        assert writer.patch(url, json=change).status_code == 403
    assert writer.delete(url).status_code == 403
    changed = operator.admin.patch(url, json={"role": "auditor", "status": "disabled"}).json()
    assert (changed["role"], changed["status"]) == ("auditor", "disabled")
    assert operator.admin.patch(url, json={"role": "god"}).status_code == 400
    assert operator.admin.delete(url).status_code == 204
    assert operator.admin.get(url).status_code == 404


def test_a_key_cannot_outlive_the_key_that_made_it(installation, api):
    caller = api(installation.api_key(["keyturn:*"], expires_in=3600).key)
    own_end = caller.get("/v1/me").json()["expires_at"]
    body = {"name": "x", "scopes": []}
    assert caller.post("/v1/api-keys", json=body).json()["expires_at"] == own_end
    assert caller.post("/v1/api-keys", json=body | {"expires_in": 7200}).status_code == 403
