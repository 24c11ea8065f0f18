"""Astrocal (S3): live and test modes, the key API, one 401."""

import json
import re

import pytest

from tests.reference.support import javascript, replaced, shell
from tests.support.served import eventually

PRODUCT = "astrocal"
ENVIRON = {"KEYTURN_API_PROFILE": "astrocal"}
HOST = "https://api.astrocal.dev"
KEY = "ac_live_..."
CREATE_CURL = """\
curl -X POST https://api.astrocal.dev/v1/api-keys \\
  -H "Authorization: Bearer ac_live_..." \\
  -H "Content-Type: application/json" \\
  -d '{"name": "My Integration", "mode": "live"}'
"""
CREATE_FETCH = """\
const response = await fetch("https://api.astrocal.dev/v1/api-keys", {
  method: "POST",
  headers: {
    Authorization: "Bearer ac_live_...",
    "Content-Type": "application/json",
  },
  body: JSON.stringify({ name: "My Integration", mode: "live" }),
});
const data = await response.json();
"""
USE_CURL = """\
curl https://api.astrocal.dev/v1/event-types \\
  -H "Authorization: Bearer ac_live_..."
"""
USE_FETCH = """\
const response = await fetch("https://api.astrocal.dev/v1/event-types", {
  headers: {
    Authorization: "Bearer ac_live_...",
  },
});
const data = await response.json();
"""
UNAUTHORIZED = {
    "error": {"code": "unauthorized", "message": "Missing or invalid Authorization header"}
}


@pytest.fixture(scope="module")
def admin(product):
    """A key that manages keys."""
    return product.key(["keyturn:keys:read", "keyturn:keys:write"]).key


@pytest.fixture(scope="module")
def manage(product, admin):
    """A request to the key API, which is Keyturn's."""

    def send(method, path="", **also):
        headers = {"Authorization": f"Bearer {admin}"}
        return product.server.request(method, f"/v1/api-keys{path}", headers=headers, **also)

    return send


@pytest.mark.row("S3-6", "S3-7", "S3-3")
@pytest.mark.parametrize("client", ["curl", "fetch"])
def test_the_examples_of_creating_a_key(product, admin, manage, tmp_path, client):
    ours = {HOST: product.server.url, KEY: admin}
    if client == "curl":
        made = json.loads(shell(replaced(CREATE_CURL, ours)))
    else:
        printing = "JSON.stringify(data)"
        text = replaced(CREATE_FETCH, ours)
        made = json.loads(javascript(text, tmp_path, printing=printing))
    assert re.fullmatch(r"ac_live_[A-Za-z0-9]{32}_[A-Za-z0-9]{6}", made["key"])
    assert (made["name"], made["environment"]) == ("My Integration", "live")
    assert made["scopes"] == ["keyturn:keys:read", "keyturn:keys:write"]
    shown = manage("GET", f"/{made['id']}").json()
    assert "key" not in shown
    assert shown["last_four"] == made["key"][-4:]


@pytest.mark.row("S3-12")
@pytest.mark.parametrize("client", ["curl", "fetch"])
def test_the_examples_of_using_a_key(product, tmp_path, client):
    ours = {HOST: product.url, KEY: product.key().key}
    if client == "curl":
        printed = shell(replaced(USE_CURL, ours))
    else:
        text = replaced(USE_FETCH, ours)
        printed = javascript(text, tmp_path, printing="JSON.stringify(data)")
    assert {one["id"] for one in json.loads(printed)["data"]} == {
        "exp_live_kayak",
        "exp_live_walk",
    }


@pytest.mark.row("S3-3", "S3-4")
def test_a_test_key_sees_the_sandbox(product):
    test = product.key(environment="test").key
    assert test.startswith("ac_test_")
    seen = {one["id"] for one in product.with_key(test, "/v1/event-types").json()["data"]}
    assert seen == {"exp_test_kayak", "exp_test_walk"}
    assert product.with_key(test, "/v1/experiences/exp_live_kayak").status_code == 404


@pytest.mark.row("S3-29")
@pytest.mark.parametrize("which", ["missing", "malformed", "unknown", "revoked"])
@pytest.mark.parametrize("where", ["api", "keyturn"])
def test_one_body_for_every_401(product, which, where):
    authorization = {
        "missing": lambda: None,
        "malformed": lambda: "Basic eDp5",
        "unknown": lambda: "Bearer ac_live_" + "a" * 39,
        "revoked": lambda: f"Bearer {product.revoked()}",
    }[which]()
    headers = {"Authorization": authorization} if authorization else {}
    response = (
        product.http.get("/v1/event-types", headers=headers)
        if where == "api"
        else product.server.request("GET", "/v1/api-keys", headers=headers)
    )
    assert (response.status_code, response.json()) == (401, UNAUTHORIZED)


@pytest.mark.row("S3-2", "S3-8")
def test_the_list_holds_the_organizations_keys_and_no_secret(installation, product, manage):
    other = installation.organization(scopes=["a:b"])
    theirs = installation.api_key(["a:b"], organization=other)
    mine = product.key()
    text = manage("GET", "?limit=200").text
    assert mine.id in text
    assert theirs.id not in text
    assert mine.key not in text
    assert manage("GET", f"/{theirs.id}").status_code == 404


@pytest.mark.row("S3-9", "S3-10", "S3-11")
def test_revoking_is_at_once_and_idempotent(product, manage):
    made = product.key()
    assert product.with_key(made.key).status_code == 200
    assert manage("DELETE", f"/{made.id}").status_code == 204
    assert product.with_key(made.key).status_code == 401
    first = manage("GET", f"/{made.id}").json()
    assert manage("DELETE", f"/{made.id}").status_code == 204
    again = manage("GET", f"/{made.id}").json()
    assert again["revoked_at"] == first["revoked_at"]
    assert again["status"] == first["status"] == "revoked"


@pytest.mark.row("S3-6")
def test_a_key_cannot_make_one_that_may_more(product, manage):
    refused = manage("POST", json={"name": "more", "scopes": ["bookings:write"]})
    assert refused.status_code == 403
    short = product.key(["keyturn:keys:write"], environment="test", expires_in=600).key
    headers = {"Authorization": f"Bearer {short}"}
    for more in ({"expires_in": 3600}, {"mode": "live"}):
        body = {"name": "more", **more}
        refused = product.server.post("/v1/api-keys", headers=headers, json=body)
        assert refused.status_code == 403, refused.text


@pytest.mark.row("S3-21", "S3-31")
def test_the_description_and_the_page_to_try_it_need_no_key(product):
    spec = product.server.get("/v1/openapi.json").json()
    assert spec["openapi"].startswith("3.1")
    assert "/v1/api-keys" in spec["paths"]
    assert product.server.get("/docs").status_code == 200


@pytest.mark.row("S3-18")
def test_usage_and_limits_of_the_calling_key_and_its_organization(product):
    limits = [{"limit": 50_000, "window": "hour"}]
    mine = product.key(["keyturn:usage:read"], rate_limits=limits).key
    other = product.key(["keyturn:keys:read"])

    def read(**params):
        headers = {"Authorization": f"Bearer {mine}"}
        answer = product.server.get("/v1/usage", headers=headers, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    product.server.get("/v1/api-keys", headers={"Authorization": f"Bearer {other.key}"})
    eventually(lambda: read(credential_id=other.id)["data"], timeout=20)
    [count] = read(credential_id=other.id)["data"]
    assert (count["route_class"], count["outcome"], count["count"]) == ("management", "success", 1)
    [standing] = read()["limits"]
    assert standing["limit"] == 50_000
    assert standing["used"] + standing["remaining"] == 50_000
    assert standing["resets_at"].endswith("Z")
    refused = product.server.get("/v1/usage", headers={"Authorization": f"Bearer {other.key}"})
    assert refused.status_code == 403


@pytest.mark.row("S3-19")
def test_the_activity_of_the_organization_by_right(installation, product, manage):
    made = product.key(["keyturn:audit:read"])
    headers = {"Authorization": f"Bearer {made.key}"}
    found = product.server.get(f"/v1/activity?target_id={made.id}", headers=headers).json()["data"]
    assert [one["type"] for one in found] == ["api_key.created"]
    without = product.key(["keyturn:keys:read"]).key
    refused = product.server.get("/v1/activity", headers={"Authorization": f"Bearer {without}"})
    assert refused.status_code == 403
    other = installation.organization()
    theirs = product.server.get(f"/v1/activity?organization_id={other}", headers=headers)
    assert theirs.status_code == 404
