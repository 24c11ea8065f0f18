"""Astrocal (S3): the service key of a backend for frontends."""

import json

import pytest

from tests.examples.support import SCOPES
from tests.reference.support import founded, javascript, replaced, shell
from tests.support.served import eventually

ENVIRON = {"KEYTURN_API_PROFILE": "astrocal"}
ACT_AS = "keyturn:act-as-organization"
HOST = "https://api.astrocal.dev"
ORGANIZATION = "org_uuid_here"
SERVICE_KEY = "$ASTROCAL_SERVICE_KEY"
CURL = """\
curl https://api.astrocal.dev/v1/event-types \\
  -H "Authorization: Bearer $ASTROCAL_SERVICE_KEY" \\
  -H "X-Org-Id: org_uuid_here" \\
  -H "X-Astrocal-Mode: live"
"""
FETCH = """\
const response = await fetch("https://api.astrocal.dev/v1/event-types", {
  headers: {
    Authorization: "Bearer $ASTROCAL_SERVICE_KEY",
    "X-Org-Id": "org_uuid_here",
    "X-Astrocal-Mode": "live",
  },
});
const data = await response.json();
"""
WHO = {"api": "/api/v1/users/me", "keyturn": "/v1/me"}
BOTH = pytest.mark.parametrize("where", ["api", "keyturn"])


@pytest.fixture(scope="module")
def product(installation, server):
    with founded(installation, server, "astrocal", for_all=True) as made:
        yield made


@pytest.fixture(scope="module")
def customer(installation):
    """`customer()`: an organization of its own, with what the product has."""

    def make():
        return installation.organization(scopes=sorted(SCOPES), profile="astrocal")

    return make


@pytest.fixture(scope="module")
def service(installation, product):
    """The service key: the operator's, whose policy allows one (C-21)."""
    installation.allow_service_keys()
    return installation.api_key([ACT_AS, "keyturn:keys:*", "keyturn:audit:read", *sorted(SCOPES)])


@pytest.fixture(scope="module")
def ask(product, service):
    """`ask(where, organization=…, mode=…)`: as a backend does; where, at which of the two APIs."""

    def send(where, path=None, *, key=service.key, method="GET", json=None, **named):
        names = {"organization": "X-Org-Id", "mode": "X-Astrocal-Mode", "origin": "Origin"}
        headers = {names.get(name, name): value for name, value in named.items()}
        at = product.http if where == "api" else product.server
        headers["Authorization"] = f"Bearer {key}"
        return at.request(method, path or WHO[where], headers=headers, json=json)

    return send


def standing(where, response):
    assert response.status_code == 200, response.text
    if where == "api":
        found = response.json()["data"]
        return found["id"], found["organization"], found["environment"]
    found = response.json()
    return found["id"], found["organization"]["id"], found["environment"]


def refusal(response):
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.row("S3-22")
@pytest.mark.parametrize("client", ["curl", "fetch"])
def test_the_examples(product, service, customer, tmp_path, client):
    ours = {HOST: product.url, ORGANIZATION: customer()}
    if client == "curl":
        variable = f"export ASTROCAL_SERVICE_KEY={service.key}\n"
        printed = shell(variable + replaced(CURL, ours))
    else:
        text = replaced(FETCH, {**ours, SERVICE_KEY: service.key})
        printed = javascript(text, tmp_path, printing="JSON.stringify(data)")
    assert {one["id"] for one in json.loads(printed)["data"]} == {
        "exp_live_kayak",
        "exp_live_walk",
    }


@BOTH
@pytest.mark.row("S3-22", "S3-24")
def test_it_is_who_the_headers_name(ask, service, customer, where):
    """One after the other, although an answer about the key may be remembered."""
    one, other = customer(), customer()
    for organization, mode in ((one, "live"), (other, "test"), (one, "test"), (other, "live")):
        found = standing(where, ask(where, organization=organization, mode=mode))
        assert found == (service.id, organization, mode)


@pytest.mark.row("S3-22")
def test_it_sees_what_that_organization_has(ask, customer):
    one, other = customer(), customer()
    slot = ask("api", "/v1/availability", organization=one).json()["data"][0]
    booking = {"guests": 1, "name": "Ada"}
    booking |= {name: slot[name] for name in ("experience_id", "starts_at")}
    made = ask("api", "/v1/bookings", method="POST", json=booking, organization=one)
    path = f"/v1/bookings/{made.json()['data']['id']}"
    assert ask("api", path, organization=one).status_code == 200
    assert ask("api", path, organization=other).status_code == 404
    assert ask("api", path, organization=one, mode="test").status_code == 404


@BOTH
@pytest.mark.row("S3-23")
@pytest.mark.parametrize("named", ["nobody", "no id", "unknown", "suspended"])
def test_which_organizations_it_cannot_name(ask, customer, installation, where, named):
    suspended = customer()
    installation.suspend(suspended)
    headers, expected = {
        "nobody": ({}, (400, "org_required")),
        "no id": ({"organization": "Astrocal"}, (400, "org_required")),
        "unknown": ({"organization": "org_0000000000000000"}, (403, "forbidden")),
        "suspended": ({"organization": suspended}, (403, "forbidden")),
    }[named]
    assert refusal(ask(where, **headers)) == expected


@pytest.mark.row("S3-23")
def test_the_exact_reason_is_in_the_log_of_the_api(product, ask):
    response = ask("api", organization="org_0000000000000000")
    assert product.reason(response) == "org_not_allowed"


@BOTH
@pytest.mark.row("S3-24")
def test_the_mode(ask, service, customer, where):
    organization = customer()
    assert standing(where, ask(where, organization=organization))[2] == "live"
    usual = ask(where, organization=organization, **{"X-Mode": "test"})
    assert standing(where, usual)[2] == "test"
    for other in ("sandbox", "", "live, test"):
        refused = ask(where, organization=organization, mode=other)
        assert refusal(refused) == (400, "mode_unknown")


@BOTH
@pytest.mark.row("S3-24", "S3-4")
def test_a_service_key_of_a_sandbox_stays_there(ask, installation, customer, where):
    scopes = [ACT_AS, "experiences:read"]
    sandboxed = installation.api_key(scopes, environment="test")
    named = {"organization": customer(), "key": sandboxed.key}
    assert standing(where, ask(where, mode="test", **named))[2] == "test"
    assert ask(where, mode="live", **named).status_code == 401
    assert ask(where, **named).status_code == 401


@BOTH
@pytest.mark.row("S3-25")
def test_the_headers_mean_nothing_with_an_ordinary_key(product, ask, customer, where):
    made = product.key([*sorted(SCOPES), "keyturn:keys:read"])
    for organization in (customer(), "org_0000000000000000", "Astrocal", ""):
        response = ask(where, key=made.key, organization=organization, mode="test")
        assert standing(where, response) == (made.id, product.organization, "live")


@BOTH
@pytest.mark.row("S3-26")
def test_it_is_refused_in_a_browser(ask, customer, where):
    organization = customer()
    for origin in ("https://app.example.com", "null"):
        refused = ask(where, organization=organization, origin=origin)
        assert refusal(refused) == (403, "forbidden")


@pytest.mark.row("S3-26")
def test_it_is_never_publishable(product, installation):
    admin = installation.api_key(["keyturn:*"]).key
    body = {
        "name": "x",
        "kind": "publishable",
        "scopes": [ACT_AS],
        "allowed_domains": ["a.example"],
    }
    headers = {"Authorization": f"Bearer {admin}"}
    refused = product.server.post("/v1/api-keys", json=body, headers=headers)
    assert (refused.status_code, "publishable" in refused.text) == (400, True)


@pytest.mark.row("S3-27")
def test_two_values_are_good_at_once_and_only_hashes_are_kept(ask, product, installation, customer):
    before = installation.api_key([ACT_AS, "experiences:read"])
    admin = {"Authorization": f"Bearer {installation.api_key(['keyturn:*']).key}"}
    url = f"/v1/api-keys/{before.id}/rotate"
    after = product.server.post(url, json={"grace_seconds": 60}, headers=admin).json()["key"]
    organization = customer()
    for key in (before.key, after):
        assert ask("api", key=key, organization=organization).status_code == 200
        kept = installation.directory.glob("keyturn.db*")
        assert all(key.encode() not in file.read_bytes() for file in kept)


@pytest.mark.row("S3-28")
def test_it_is_in_both_logs(ask, service, customer, installation):
    organization = customer()
    response = ask("api", organization=organization, mode="test")
    assert response.status_code == 200
    made = ask(
        "keyturn", "/v1/api-keys", method="POST", json={"name": "Made"}, organization=organization
    )
    assert made.status_code == 201, made.text
    admin = {"Authorization": f"Bearer {installation.api_key(['keyturn:*']).key}"}

    def events(whose, type):
        """Those of the service key, in this organization's log."""
        query = {"organization_id": whose, "type": type, "actor_id": service.id}
        found = installation.http.get("/v1/activity", params=query, headers=admin).json()["data"]
        return [one for one in found if organization in json.dumps(one)]

    acted = eventually(lambda: events(organization, "organization.acted_for"), timeout=5)
    assert acted[-1]["details"] == {"environment": "test"}
    own = eventually(
        lambda: events(installation.organization_id, "organization.acted_for"), timeout=5
    )
    assert own[-1]["target"] == {"type": "organization", "id": organization}
    [created] = events(organization, "api_key.created")
    assert created["details"]["acts_from"] == installation.organization_id


@pytest.mark.row("S3-22")
def test_it_may_there_at_most_what_it_may_by_itself(ask, customer, installation):
    organization, other = customer(), customer()
    key = installation.api_key([ACT_AS, "keyturn:keys:*", "experiences:read"]).key
    named = {"key": key, "organization": organization}
    more = {"name": "more", "scopes": ["bookings:write"]}
    assert ask("keyturn", "/v1/api-keys", method="POST", json=more, **named).status_code == 403
    assert ask("keyturn", "/v1/clients", **named).status_code == 403
    elsewhere = f"/v1/api-keys?organization_id={other}"
    assert ask("keyturn", elsewhere, **named).status_code == 404
    whoever = installation.api_key(["keyturn:*"]).key
    named["key"] = whoever
    assert ask("keyturn", "/v1/clients", **named).status_code == 200
    for operators in ("/v1/organizations", "/v1/signing-keys", elsewhere):
        assert ask("keyturn", operators, **named).status_code in (403, 404)
    named["organization"] = installation.organization_id
    assert ask("keyturn", "/v1/organizations", **named).status_code == 403
    assert ask("keyturn", "/v1/organizations", key=whoever).status_code == 200
