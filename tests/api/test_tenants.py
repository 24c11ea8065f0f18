"""Two organizations: what belongs to one does not exist for the other."""

import pytest

from tests.api.routes import ROUTES

OBJECTS = [r for r in ROUTES if r.names_an_object and not r.operator_only]
OF_A_CREDENTIAL = (
    "/api-keys/inspect", "/api-keys/verify", "/leases", "/profile", "/usage/reports"
)  # fmt: skip
"""The organization is that of the credential asked about: tests beside each of them say who is
answered."""
OTHERS = [r for r in ROUTES if r.scope and not r.names_an_object and r.path not in OF_A_CREDENTIAL]
CREATIONS = [r for r in OTHERS if r.status == 201]
NO_LISTS = ("/key-policy", "/usage/plan")
LISTS = [r for r in OTHERS if r.method == "GET" and r.path not in NO_LISTS]
ACTIONS = [r for r in OTHERS if r not in CREATIONS and r not in LISTS]
LATER = (".issued", ".refused", ".used", ".viewed")
"""Events that a journal holds first: they arrive when they are shipped."""
OWN = "/organizations/{organization_id}"
OPERATING = [r for r in ROUTES if r.operator_only and (r.method, r.path) != ("GET", OWN)]


def own(routes):
    return [route for route in routes if not route.operator_only]


@pytest.fixture(scope="module")
def ours(tenant):
    return tenant()


@pytest.fixture(scope="module")
def theirs(tenant):
    return tenant()


def events_of(tenant):
    return [
        event["id"]
        for event in tenant.admin.get("/v1/activity?limit=200").json()["data"]
        if event["actor"]["id"] != "tests" and not event["type"].endswith(LATER)
    ]


@pytest.mark.parametrize("route", OBJECTS, ids=str)
def test_anothers_object_is_as_absent_as_none(route, ours, theirs, things):
    made = things(theirs.organization_id)
    url, sent = route.url(made), route.sent(made)
    before = events_of(theirs)
    response = ours.admin(route.method, url, **sent)
    assert response.status_code == 404
    absent = ours.admin(route.method, url.rpartition("/")[0] + "/absent", **sent)
    assert absent.json()["error"]["code"] == response.json()["error"]["code"] == "not_found"
    assert theirs.organization_id not in response.text
    named = f"{url}?organization_id={theirs.organization_id}"
    assert ours.admin(route.method, named, **sent).status_code == 404
    assert events_of(theirs) == before
    # It is there all the same, for those whose it is.
    assert theirs.admin(route.method, url, **sent).status_code == route.status


@pytest.mark.parametrize("route", OBJECTS, ids=str)
def test_the_operators_object_is_absent_for_tenants(route, ours, operator, things):
    made = things(operator.organization_id)
    response = ours.admin(route.method, route.url(made), **route.sent(made))
    assert response.status_code == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_anothers_secret_below_ones_own_client(method, ours, theirs, things):
    client_id = things(ours.organization_id)["client_id"]
    made = things(theirs.organization_id)
    for secret_id, client in ((made["secret_id"], client_id), (made["secret_id"], "absent")):
        response = ours.admin(method, f"/v1/clients/{client}/secrets/{secret_id}")
        assert response.status_code == 404
    shown = theirs.admin.get(f"/v1/clients/{made['client_id']}/secrets/{made['secret_id']}")
    assert shown.json()["status"] == "active"


@pytest.mark.parametrize("route", own(LISTS), ids=str)
def test_lists_hold_ones_own(route, ours, theirs, things):
    made = things(theirs.organization_id)
    for name in ("client_id", "secret_id", "key_id", "scope_name", "preset", "resource_id"):
        made[name]
    response = ours.admin.get(route.url(made) + "?limit=200")
    assert response.status_code == 200
    for name in ("organization_id", "client_id", "key_id", "scope_name", "preset", "resource_id"):
        assert f'"{made[name]}"' not in response.text
    named = ours.admin.get(f"{route.url(made)}?organization_id={theirs.organization_id}")
    assert named.status_code == 404


@pytest.mark.parametrize("route", own(CREATIONS), ids=str)
def test_nothing_is_made_in_anothers_organization(route, ours, theirs, things):
    made = things(ours.organization_id)
    sent = route.sent(made)
    sent["json"]["organization_id"] = theirs.organization_id
    before = events_of(theirs)
    response = ours.admin(route.method, route.url(made), **sent)
    assert response.status_code == 404
    assert events_of(theirs) == before
    # Naming one's own changes nothing.
    sent["json"]["organization_id"] = ours.organization_id
    made_here = ours.admin(route.method, route.url(made), **sent)
    assert made_here.status_code == 201
    assert made_here.json().get("organization_id", ours.organization_id) == ours.organization_id


@pytest.mark.parametrize("route", own(ACTIONS), ids=str)
def test_nothing_is_done_in_anothers_organization(route, ours, theirs, things):
    made = things(ours.organization_id)
    url, sent = route.url(made), route.sent(made)
    before = events_of(theirs)
    named = f"{url}?organization_id={theirs.organization_id}"
    assert ours.admin(route.method, named, **sent).status_code == 404
    assert events_of(theirs) == before
    own = f"{url}?organization_id={ours.organization_id}"
    assert ours.admin(route.method, own, **sent).status_code == route.status


@pytest.mark.parametrize("route", OPERATING, ids=str)
def test_the_operators_routes_are_closed(route, ours, things):
    made = things(ours.organization_id)
    response = ours.admin(route.method, route.url(made), **route.sent(made))
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "insufficient_scope"


def test_an_organization_sees_itself(ours, theirs, api, installation):
    """Those who administer anything in it; by no other right than that."""
    own = ours.admin.get(f"/v1/organizations/{ours.organization_id}")
    assert (own.status_code, own.json()["id"]) == (200, ours.organization_id)
    assert ours.admin.get(f"/v1/organizations/{theirs.organization_id}").status_code == 403
    stranger = installation.api_key(["rooms:read"], organization=ours.organization_id).key
    assert api(stranger).get(f"/v1/organizations/{ours.organization_id}").status_code == 403


@pytest.mark.parametrize("route", own(LISTS), ids=str)
def test_lists_of_an_absent_organization(route, operator, things):
    url = route.url(things(operator.organization_id))
    response = operator.admin.get(f"{url}?organization_id=org_absent")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_everywhere_is_for_the_operator(ours, theirs, operator):
    assert ours.admin.get("/v1/activity?everywhere=true").status_code == 403
    found = operator.admin.get("/v1/activity?everywhere=true&limit=200").json()["data"]
    assert {ours.organization_id, theirs.organization_id} <= {
        event["organization_id"] for event in found
    }


@pytest.mark.parametrize("route", OBJECTS, ids=str)
def test_the_operator_reaches_across_by_naming(route, theirs, operator, things):
    made = things(theirs.organization_id)
    url, sent = route.url(made), route.sent(made)
    assert operator.admin(route.method, url, **sent).status_code == 404
    named = f"{url}?organization_id={theirs.organization_id}"
    assert operator.admin(route.method, named, **sent).status_code == route.status


@pytest.mark.parametrize("route", own(OTHERS), ids=str)
def test_the_operator_lists_and_makes_across_by_naming(route, theirs, operator, things):
    made = things(theirs.organization_id)
    url, sent = route.url(made), route.sent(made)
    if route in CREATIONS:
        sent["json"]["organization_id"] = theirs.organization_id
    else:
        url += f"?organization_id={theirs.organization_id}"
    response = operator.admin(route.method, url, **sent)
    assert response.status_code == route.status
    for one in response.json().get("data", [response.json()]):
        assert one.get("organization_id") in (theirs.organization_id, None)


@pytest.mark.parametrize("route", own(OTHERS), ids=str)
def test_the_operators_credentials_need_the_right_to_reach_across(
    route, theirs, api, installation, every_scope, things
):
    left = {"keyturn:organizations:read", "keyturn:organizations:write"}
    caller = api(installation.api_key(sorted(every_scope - left)).key)
    made = things(theirs.organization_id)
    url, sent = route.url(made), route.sent(made)
    if route in CREATIONS:
        sent["json"]["organization_id"] = theirs.organization_id
    else:
        url += f"?organization_id={theirs.organization_id}"
    assert caller(route.method, url, **sent).status_code == 404
    reading = sorted(every_scope - {"keyturn:organizations:write"})
    reader = api(installation.api_key(reading).key)
    assert reader(route.method, url, **sent).status_code == (404 if sent else 200)


def test_organization_headers_change_nothing(ours, theirs):
    headers = {"X-Org-Id": theirs.organization_id, "X-Mode": "test", "X-Forwarded-For": "10.0.0.1"}
    shown = ours.admin.get("/v1/me", headers=headers).json()
    assert shown["organization"]["id"] == ours.organization_id
    assert shown["environment"] == "live"


def test_a_test_credential_stays_in_test(ours, api, installation, things):
    key = installation.api_key(
        ["keyturn:*"], organization=ours.organization_id, environment="test"
    ).key
    caller = api(key)
    live = things(ours.organization_id)["client_id"]
    assert caller.patch(f"/v1/clients/{live}", json={"name": "x"}).status_code == 403
    made = caller.post("/v1/clients", json={"name": "x", "scopes": []})
    assert made.json()["environment"] == "test"
    refused = caller.post("/v1/clients", json={"name": "x", "scopes": [], "environment": "live"})
    assert refused.status_code == 403
