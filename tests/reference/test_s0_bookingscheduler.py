"""BookingScheduler (S0): plain API keys, three error bodies."""

import re

import pytest

from examples.bookings.declare import read_products
from tests.reference.support import called_with_the_printed_line, replaced, shell

PRODUCT = "bookingscheduler"
HOST = "https://api.bookingscheduler.com"
CURL = """\
curl -X GET "https://api.bookingscheduler.com/v1/experiences" \\
-H "Authorization: Bearer YOUR_API_KEY" \\
-H "Content-Type: application/json\""""

MISSING = {
    "success": False,
    "error": {
        "code": "UNAUTHORIZED",
        "message": "No API key provided. Include your API key in the Authorization header.",
    },
}
INVALID = {
    "success": False,
    "error": {
        "code": "INVALID_API_KEY",
        "message": "The API key provided is invalid or has been revoked.",
    },
}
FORBIDDEN = {
    "success": False,
    "error": {
        "code": "FORBIDDEN",
        "message": "Your API key does not have permission to access this resource.",
    },
}


@pytest.mark.row("S0-1", "S0-7")
def test_the_curl_example(product):
    printed = shell(replaced(CURL, {HOST: product.url, "YOUR_API_KEY": product.key().key}))
    assert '"exp_production_kayak"' in printed
    assert product.with_key(product.key().key).status_code == 200


@pytest.mark.row("S0-1")
def test_the_principal_carries_the_keys_id_and_organization(product):
    key = product.key()
    me = product.with_key(key.key, "/api/v1/users/me").json()["data"]
    assert (me["id"], me["organization"]) == (key.id, product.organization)


@pytest.mark.row("S0-2", "S0-13")
@pytest.mark.parametrize("place", ["nowhere", "X-API-Key", "query", "Cookie"])
def test_no_key_in_the_header(product, place):
    key = product.key().key
    sent = {
        "nowhere": {},
        "X-API-Key": {"headers": {"X-API-Key": key}},
        "query": {"params": {"api_key": key}},
        "Cookie": {"headers": {"Cookie": f"Authorization=Bearer {key}"}},
    }
    response = product.get("/v1/experiences", **sent[place])
    assert (response.status_code, response.json()) == (401, MISSING)


@pytest.mark.row("S0-14")
@pytest.mark.parametrize("which", ["unknown", "malformed", "checksum", "revoked", "rotated"])
def test_an_invalid_key_reads_the_same_whatever_is_wrong(product, which):
    key = product.key().key
    presented = {
        "unknown": lambda: product.key().key[:3] + "A" * 32,
        "malformed": lambda: "bs_cut",
        "checksum": lambda: key[:-1] + ("0" if key[-1] != "0" else "1"),
        "revoked": product.revoked,
        "rotated": lambda: rotated(product),
    }[which]()
    response = product.with_key(presented)
    assert (response.status_code, response.json()) == (401, INVALID)
    if which in ("revoked", "rotated"):
        assert product.reason(response) == which


def rotated(product):
    """A key that was rotated without a grace."""
    made = product.key()
    _manage(product, "POST", f"/{made.id}/rotate", json={"grace_seconds": 0})
    return made.key


def _manage(product, method, path="", **also):
    key = product.installation.api_key(
        ["keyturn:*", "experiences:*", "bookings:*", "availability:*", "properties:*",
         "analytics:*", "widget:*"],
        organization=product.organization,
    ).key  # fmt: skip
    headers = {"Authorization": f"Bearer {key}"}
    response = product.server.request(method, f"/v1/api-keys{path}", headers=headers, **also)
    assert response.status_code < 300, response.text
    return response


@pytest.mark.row("S0-15")
def test_not_enough_permission(product):
    response = product.with_key(product.key(["bookings:read"]).key)
    assert (response.status_code, response.json()) == (403, FORBIDDEN)


@pytest.mark.row("S0-16")
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("GET", "/v1/bookings/none", 404, "NOT_FOUND"),
        ("DELETE", "/v1/experiences", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/v1/bookings", 400, "INVALID_REQUEST"),
    ],
)
def test_every_other_error_says_that_it_failed(product, method, path, status, code):
    headers = {"Authorization": f"Bearer {product.key().key}"}
    response = product.http.request(method, path, headers=headers)
    body = response.json()
    assert (response.status_code, body["success"], body["error"]["code"]) == (status, False, code)


@pytest.mark.row("S0-5")
def test_a_key_has_a_name(product):
    headers = {"Authorization": f"Bearer {product.key(['keyturn:keys:write']).key}"}
    response = product.server.post("/v1/api-keys", headers=headers, json={"scopes": []})
    assert (response.status_code, response.json()["success"]) == (400, False)
    assert response.json()["error"]["details"][0]["field"] == "name"
    made = _manage(product, "POST", json={"name": "Production site", "scopes": []}).json()
    assert "Production site" in [one["name"] for one in _manage(product, "GET").json()["data"]]
    assert made["name"] == "Production site"


@pytest.mark.row("S0-6", "S1-6", "S2-15")
def test_a_key_is_shown_once(product):
    made = _manage(product, "POST", json={"name": "once", "scopes": []}).json()
    key = made.pop("key")
    shown = _manage(product, "GET", f"/{made['id']}").json()
    assert shown | {"key_variable": "BOOKINGSCHEDULER_API_KEY"} == made
    assert key not in _manage(product, "GET").text
    product.with_key(key)
    for table in ("api_keys", "audit_events", "changes"):
        assert key not in str(product.installation.rows(f"SELECT * FROM {table}"))
    assert key not in product.log.read_text() + product.server.log()


@pytest.mark.row("S0-10")
def test_two_keys_with_equal_scopes_work_at_the_same_time(product):
    first, second = product.key(), product.key()
    assert {product.with_key(one.key).status_code for one in (first, second)} == {200}
    successor = _manage(product, "POST", f"/{first.id}/rotate", json={"grace_seconds": 60}).json()
    assert product.with_key(first.key).status_code == 200
    assert product.with_key(successor["key"]).status_code == 200


@pytest.mark.row("S0-11")
def test_three_environments_each_with_its_own_data(product):
    environments = read_products()[PRODUCT]["environments"]
    assert len(environments) == 3
    seen = {product.with_key(product.key(environment=name).key).text for name in environments}
    assert len(seen) == 3


def test_keys_look_as_configured(product):
    assert re.fullmatch(r"bs_[A-Za-z0-9]{32}_[A-Za-z0-9]{6}", product.key().key)


@pytest.mark.row("S0-9")
def test_the_key_is_kept_in_its_variable(product):
    assert "ayaks" in called_with_the_printed_line(product, "BOOKINGSCHEDULER_API_KEY")
