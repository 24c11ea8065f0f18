"""Service credentials: for whom they may act, and that an API key is one only where it may be."""

import json

import pytest

from tests.api.support import fields_of

ACT_AS = "keyturn:act-as-organization"
SCOPES = [ACT_AS, "keyturn:keys:read"]


@pytest.fixture
def service(installation):
    """``service(kind, …)``: what stands behind ``Bearer`` of a new service credential."""

    def make(kind, scopes=SCOPES, **also):
        if kind != "client":
            installation.allow_service_keys()
            return installation.api_key(scopes, **also).key
        client = installation.client(scopes, **also)
        form = {"grant_type": "client_credentials"}
        return installation.http.post("/oauth/token", auth=client, data=form).json()["access_token"]

    return make


@pytest.fixture
def organizations(tenant):
    return tenant().organization_id, tenant().organization_id


@pytest.fixture
def acting(installation):
    def ask(credential, organization, path="/v1/me"):
        headers = {"Authorization": f"Bearer {credential}", "X-Org-Id": organization}
        return installation.http.get(path, headers=headers)

    return ask


@pytest.fixture
def no_service_keys(operator):
    def forbid(value=None):
        changed = operator.admin.patch("/v1/key-policy", json={"service_keys": value})
        assert changed.status_code == 200

    forbid()
    return forbid


@pytest.mark.row("S3-22")
@pytest.mark.parametrize("kind", ["client", "key"])
def test_it_acts_for_those_it_is_allowed_and_for_nobody_else(
    installation, service, organizations, acting, kind
):
    one, other = organizations
    bound = service(kind, act_as_organizations=[one])
    assert acting(bound, one).json()["organization"]["id"] == one
    refused = acting(bound, other)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "org_not_allowed")
    free = service(kind)
    assert [acting(free, each).status_code for each in organizations] == [200, 200]


@pytest.mark.parametrize("kind", ["client", "key"])
def test_at_a_resource_server_too(installation, service, organizations, kind):
    one, other = organizations
    asker = installation.client(["keyturn:introspect", "keyturn:organizations:read"])
    bound = service(kind, act_as_organizations=[one])

    def introspected(organization):
        form = {"token": bound, "organization": organization}
        return installation.http.post("/oauth/introspect", auth=asker, data=form).json()

    assert introspected(one)["org"] == one
    assert introspected(other)["active"] is False


def test_the_list_is_shown_changed_and_taken_back(operator, installation, organizations, acting):
    installation.allow_service_keys()
    made = operator.admin.post(
        "/v1/api-keys",
        json={"name": "s", "scopes": SCOPES, "act_as_organizations": [organizations[0]]},
    ).json()
    assert made["act_as_organizations"] == [organizations[0]]
    path = f"/v1/api-keys/{made['id']}"
    for allowed in ([organizations[1]], []):
        changed = operator.admin.patch(path, json={"act_as_organizations": allowed})
        assert changed.json()["act_as_organizations"] == allowed
        expected = [200 if not allowed or one in allowed else 403 for one in organizations]
        assert [acting(made["key"], one).status_code for one in organizations] == expected
    event = operator.admin.get("/v1/activity", params={"target_id": made["id"], "limit": 1}).json()
    assert event["data"][0]["details"]["changed"] == ["act_as_organizations"]


def test_a_successor_acts_for_the_same(operator, installation, service, organizations, acting):
    installation.allow_service_keys()
    key = installation.api_key(SCOPES, act_as_organizations=[organizations[0]])
    new = operator.admin.post(f"/v1/api-keys/{key.id}/rotate", json={}).json()
    assert new["act_as_organizations"] == [organizations[0]]
    assert acting(new["key"], organizations[1]).status_code == 403


@pytest.mark.parametrize(
    ("scopes", "named", "field"),
    [
        (SCOPES, ["org_nobodys"], "act_as_organizations"),
        (SCOPES, ["no id!"], "act_as_organizations.0"),
        (["keyturn:keys:read"], ["org_0"], "act_as_organizations"),
        (SCOPES, [f"org_{n}" for n in range(101)], "act_as_organizations"),
    ],
)
def test_what_cannot_be_is_named(operator, installation, scopes, named, field):
    installation.allow_service_keys()
    for path in ("/v1/clients", "/v1/api-keys"):
        body = {"name": "s", "scopes": scopes, "act_as_organizations": named}
        answer = operator.admin.post(path, json=body)
        assert (answer.status_code, fields_of(answer)) == (400, [field])


def test_nobody_lets_others_act_for_more_than_themselves(
    installation, operator, organizations, api
):
    one, other = organizations
    wide = ["keyturn:clients:*", "keyturn:organizations:read", ACT_AS]
    bound = api(installation.api_key(wide, act_as_organizations=[one]).key)

    def make(**also):
        return bound.post("/v1/clients", json={"name": "s", "scopes": [ACT_AS], **also}).status_code

    assert make(act_as_organizations=[one]) == 201
    assert make(act_as_organizations=[one, other]) == 403
    assert make() == 403
    client = installation.client([ACT_AS], act_as_organizations=[other]).client_id
    path = f"/v1/clients/{client}"
    assert bound.patch(path, json={"act_as_organizations": []}).status_code == 403
    without = api(installation.api_key(["keyturn:clients:*"]).key)
    assert without.patch(path, json={"act_as_organizations": []}).status_code == 403


@pytest.mark.row("S3-22")
def test_an_api_key_is_none_unless_the_policy_allows_it(
    installation, operator, service, organizations, acting, no_service_keys
):
    body = {"name": "s", "scopes": SCOPES}
    refused = operator.admin.post("/v1/api-keys", json=body)
    assert (refused.status_code, fields_of(refused)) == (400, ["scopes"])
    key, client = service("key"), service("client")
    administrator = operator.key
    for credential in (key, administrator):
        assert acting(credential, organizations[0]).status_code == 200
    no_service_keys()
    for credential in (key, administrator):
        assert acting(credential, organizations[0]).status_code == 403
    assert acting(client, organizations[0]).status_code == 200
    no_service_keys("allow")
    assert acting(key, organizations[0]).status_code == 200
    events = operator.admin.get("/v1/activity", params={"type": "key_policy.updated"}).json()
    assert events["data"][0]["details"] == {"service_keys": "allow"}


def test_a_token_of_an_api_key_is_no_way_around_it(
    installation, service, organizations, acting, no_service_keys
):
    key = service("key")
    exchange = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": key,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    client = installation.client([])
    answer = installation.http.post("/oauth/token", auth=client, data=exchange)
    token = answer.json()["access_token"]
    assert acting(token, organizations[0]).status_code == 200
    no_service_keys()
    assert acting(token, organizations[0]).status_code == 403


def test_on_the_command_line(installation, organizations):
    run = installation.app.test_cli_runner().invoke
    assert run(args=["key-policy", "update", "--service-keys", "deny"]).exit_code == 0
    create = ["create", "--name", "s", "--scope", ACT_AS, "--json"]
    refused = run(args=["key", *create])
    assert (refused.exit_code, "service_keys" in refused.stderr) == (1, True)
    assert run(args=["key-policy", "update", "--service-keys", "allow"]).exit_code == 0
    for group, id in (("key", "id"), ("client", "client_id")):
        made = json.loads(run(args=[group, *create, "--act-as", organizations[0]]).stdout)
        assert made["act_as_organizations"] == [organizations[0]]
        free = run(args=[group, "update", made[id], "--act-as-any", "--json"])
        assert json.loads(free.stdout)["act_as_organizations"] == []
