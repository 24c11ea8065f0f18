"""ReserveKit (S1): prefixed secret keys, domain restriction, four error messages."""

import re
import time

import pytest

from tests.examples.support import ROUTES
from tests.reference.support import called_with_the_printed_line, replaced, shell
from tests.support.served import eventually

PRODUCT = "reservekit"
HOST = "https://api.reservekit.io"
KEY = "sk_rsv_your_api_key"
CURL = """\
curl -X GET "https://api.reservekit.io/v1/services" \\
-H "Authorization: Bearer sk_rsv_your_api_key" \\
-H "Content-Type: application/json\""""


def message(response):
    return response.status_code, response.json()["error"]["message"]


@pytest.mark.row("S1-7", "S1-8")
def test_the_curl_example(product):
    printed = shell(replaced(CURL, {HOST: product.url, KEY: product.key().key}))
    assert '"exp_live_kayak"' in printed


@pytest.mark.row("S1-2")
def test_secret_keys_begin_as_documented(product):
    made = product.key()
    assert re.fullmatch(r"sk_rsv_[A-Za-z0-9]{32}_[A-Za-z0-9]{6}", made.key)
    [row] = product.installation.rows("SELECT kind FROM api_keys WHERE id = :id", id=made.id)
    assert row.kind == "secret"


@pytest.mark.row("S1-3")
def test_a_secret_key_may_change_things(product):
    key = product.key(["bookings:create", "availability:read"]).key
    slot = product.with_key(key, "/v1/availability").json()["data"][0]
    booking = {
        "experience_id": slot["experience_id"],
        "starts_at": slot["starts_at"],
        "guests": 1,
        "name": "Ada",
    }
    made = product.http.post(
        "/v1/bookings", json=booking, headers={"Authorization": f"Bearer {key}"}
    )
    assert made.status_code == 201


@pytest.mark.row("S1-7")
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer    "])
def test_the_scheme_in_any_case_and_some_spaces(product, scheme):
    assert product.get("/v1/services", scheme + product.key().key).status_code == 200


@pytest.mark.row("S1-21")
def test_the_header_is_missing(product):
    response = product.get("/v1/services")
    assert message(response) == (401, "Authorization header is missing")
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="bookings", resource_metadata=')
    assert "error" not in challenge


@pytest.mark.row("S1-22")
@pytest.mark.parametrize("form", ["Bearer", "{}", "Basic {}", "Bearer {} {}", "Bearer\t{}"])
def test_the_header_is_malformed(product, form):
    response = product.get("/v1/services", form.replace("{}", product.key().key))
    assert message(response) == (401, "Authorization header is malformed")


@pytest.mark.row("S1-23", "S1-17", "S4-16")
def test_a_revoked_key_is_told_so_and_nobody_else_is(product):
    key = product.revoked()
    response = product.with_key(key)
    assert message(response) == (401, "API key revoked")
    assert product.reason(response) == "revoked"
    for guess in (key[:-1] + ("0" if key[-1] != "0" else "1"), key.rpartition("_")[0]):
        assert message(product.with_key(guess)) == (401, "API key invalid")


@pytest.mark.row("S1-26")
def test_an_unknown_key(product):
    from keyturn import KeyTemplate

    unknown = KeyTemplate(prefix="sk_rsv", environments=()).generate()
    response = product.with_key(unknown)
    assert message(response) == (401, "API key invalid")
    assert product.reason(response) == "inactive"


@pytest.mark.row("S1-13", "S1-24")
def test_the_origin_does_not_match(product):
    key = product.key(allowed_domains=["a.example"]).key
    other = product.with_key(key, "/v1/services", headers={"Origin": "https://b.example"})
    assert message(other) == (403, "Origin does not match API key domain")
    own = product.with_key(key, "/v1/services", headers={"Origin": "https://a.example"})
    assert own.status_code == 200


@pytest.mark.row("S1-5")
def test_a_domain_may_be_given_and_must_be_one(product):
    admin = product.key(["keyturn:keys:read", "keyturn:keys:write"]).key
    headers = {"Authorization": f"Bearer {admin}"}

    def create(**also):
        return product.server.post(
            "/v1/api-keys", headers=headers, json={"name": "site", "scopes": [], **also}
        )

    assert create().json()["allowed_domains"] == []
    several = ["a.example", "*.b.example"]
    assert create(allowed_domains=several).json()["allowed_domains"] == several
    for wrong in ("http://a.example", "a b", "*", "*.*.example", ""):
        refused = create(allowed_domains=[wrong])
        assert refused.status_code == 400
        assert refused.json()["error"]["details"][0]["field"].startswith("allowed_domains")


@pytest.mark.row("S1-14", "S2-58")
def test_rotation_by_hand_without_a_failed_request(product):
    old = product.key()
    statuses = [product.with_key(old.key).status_code]
    new = product.key()
    statuses.append(product.with_key(new.key).status_code)
    statuses.append(product.with_key(old.key).status_code)
    product.installation.revoke_key(old.id, organization=product.organization)
    statuses.append(product.with_key(new.key).status_code)
    assert statuses == [200] * 4


@pytest.mark.row("S1-10")
def test_the_key_is_kept_in_its_variable(product):
    assert "ayaks" in called_with_the_printed_line(product, "RESERVEKIT_API_KEY")


@pytest.mark.row("S1-1", "S3-1")
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_every_route_that_is_not_public_asks_for_a_key(product, route):
    response = product.http.request(route.method, route.path.replace("{id}", "1"))
    if route.path == "/health":
        assert response.status_code == 200
        return
    assert message(response) == (401, "Authorization header is missing")


@pytest.mark.row("S1-19", "S1-20", "S2-64", "S2-70")
def test_beyond_the_limit_every_request_is_too_many(product):
    key = product.key(rate_limits=["3/day", "5/month"]).key
    answers = [product.with_key(key) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    refused = answers[-1]
    assert message(refused) == (429, "Too Many Requests")
    assert product.reason(refused) == "rate_limited"
    assert refused.headers["RateLimit-Policy"] == '"day";q=3;w=86400, "month";q=5;w=2592000'
    assert f'"day";r=0;t={refused.headers["Retry-After"]},' in refused.headers["RateLimit"]
    assert '"month";r=2;' in refused.headers["RateLimit"]
    assert refused.headers["X-RateLimit-Limit"] == "3"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert int(refused.headers["X-RateLimit-Reset"]) > time.time()
    assert product.with_key(product.key().key).status_code == 200


@pytest.fixture(scope="module")
def server_only(product):
    """An organization like the product's, whose secret keys are for servers; and how to ask."""
    installation = product.installation
    organization = installation.organization(profile="reservekit", scopes=["rooms:read"])
    admin = installation.api_key(["keyturn:*", "rooms:read"], organization=organization).key
    headers = {"Authorization": f"Bearer {admin}"}
    policy = {"browser_origin": "deny"}
    changed = product.server.request("PATCH", "/v1/key-policy", json=policy, headers=headers)
    assert changed.json()["browser_origin"] == "deny"
    return organization, admin


PAGE = "https://a.example"


@pytest.mark.row("S1-9")
@pytest.mark.parametrize(
    ("key", "refused"),
    [
        ({}, True),
        ({"browser_origin": "deny"}, True),
        ({"browser_origin": "allow"}, False),
        ({"allowed_domains": ["a.example"]}, False),
        ({"kind": "publishable", "allowed_domains": ["a.example"]}, False),
    ],
    ids=["secret", "said twice", "allowed", "of a domain", "publishable"],
)
def test_a_secret_key_out_of_a_browser(product, server_only, key, refused):
    organization, admin = server_only
    installation = product.installation
    installation.scope(scope := f"pages:{len(str(key))}", organization=organization, public=True)
    made = installation.api_key([scope], organization=organization, **key)
    headers = {"Authorization": f"Bearer {made.key}", "Origin": PAGE}
    at_keyturn = product.server.get("/v1/me", headers=headers)
    body = {"key": made.key, "origin": PAGE}
    asking = {"Authorization": f"Bearer {admin}"}
    verdict = product.server.post("/v1/api-keys/verify", json=body, headers=asking).json()
    inspected = product.server.post("/v1/api-keys/inspect", json=body, headers=asking).json()
    [domain] = [one for one in inspected["checks"] if one["rule"] == "domain"]
    assert at_keyturn.status_code == (403 if refused else 200)
    assert verdict["reason"] == ("server_only" if refused else None)
    assert domain["passed"] is not refused
    shown = product.server.get(f"/v1/api-keys/{made.id}", headers=asking).json()
    assert shown["exposed_by"] == ("server_only" if refused else None)


@pytest.mark.row("S1-9")
def test_the_api_refuses_it_and_tells_its_owner(product):
    made = product.key(browser_origin="deny")
    headers = {"Origin": PAGE}
    assert product.with_key(made.key).status_code == 200
    refused = product.with_key(made.key, headers=headers)
    assert (refused.status_code, product.reason(refused)) == (403, "server_only")
    exposed = "SELECT exposed_by FROM api_keys WHERE id = :id"
    [row] = product.installation.rows(exposed, id=made.id)
    assert row.exposed_by == "server_only"
    assert product.with_key(product.key().key, headers=headers).status_code == 200


@pytest.mark.row("S1-12", "S2-45")
def test_usage_by_time_class_outcome_and_network(product):
    """Ways of use, seen by the key's owner: at the API, and by whoever asks on its behalf."""
    owner = {"Authorization": f"Bearer {product.key(['keyturn:*']).key}"}
    made, verify = product.key(), f"{product.server.url}/v1/api-keys/verify"
    for ip, route_class in (("192.0.2.1", "read"), ("192.0.2.2", "read"), ("2001:db8::1", "write")):
        body = {"key": made.key, "ip": ip, "route_class": route_class}
        answer = product.http.post(verify, headers=owner, json=body)
        assert answer.json()["valid"] is True

    def read(path, **params):
        answer = product.server.get(path, headers=owner, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def counted():
        return {
            (one["route_class"], one["outcome"]): one["count"]
            for one in read("/v1/usage", credential_id=made.id, interval="day")
        }

    eventually(lambda: counted() == {("read", "success"): 2, ("write", "success"): 1}, timeout=20)
    networks = read("/v1/usage/networks", credential_id=made.id)
    assert {one["network"]: one["count"] for one in networks} == {
        "192.0.2.0/24": 2,
        "2001:db8::/48": 1,
    }
    [told] = read("/v1/activity", type="api_key.new_network", target_id=made.id)
    assert told["details"] == {"network": "2001:db8::/48", "known": 1}
