"""ExperienceLocal (S2): format, scopes, presets, plans, rotation, limits, audit."""

import re

import pytest

from examples.bookings.declare import read_catalogue
from keyturn import BASE36, KeyTemplate
from tests.examples.support import SCOPES
from tests.reference.support import (
    called_with_the_printed_line,
    javascript,
    python,
    replaced,
    shell,
    with_axios,
)
from tests.support.served import eventually

PRODUCT = "experiencelocal"
HOST = "https://api.experiencelocal.io"
KEY = "el_live_k1a2b3c4d5e6f7g8h9i0j1k2l3m4n5o6_x7y8"
CURL = """\
# Using curl
curl https://api.experiencelocal.io/v1/experiences \\
-H "Authorization: Bearer el_live_k1a2b3c4d5e6f7g8h9i0j1k2l3m4n5o6_x7y8"
"""
FETCH = """\
const response = await fetch('https://api.experiencelocal.io/v1/experiences', {
headers: {
'Authorization': 'Bearer el_live_k1a2b3c4d5e6f7g8h9i0j1k2l3m4n5o6_x7y8',
'Content-Type': 'application/json',
},
});
"""
AXIOS = """\
const axios = require('axios');
const response = await axios.get('https://api.experiencelocal.io/v1/experiences', {
headers: {
'Authorization': 'Bearer el_live_k1a2b3c4d5e6f7g8h9i0j1k2l3m4n5o6_x7y8',
},
});
"""
REQUESTS = """\
# Using Python with requests
import requests
headers = {
'Authorization': 'Bearer el_live_k1a2b3c4d5e6f7g8h9i0j1k2l3m4n5o6_x7y8',
}
response = requests.get('https://api.experiencelocal.io/v1/experiences', headers=headers)
"""
TEMPLATE = KeyTemplate(prefix="el", alphabet=BASE36, checksum_length=4)
SHOWN = '"exp_live_kayak"'


@pytest.fixture
def ours(product):
    """An example, with our host and a key of ours."""
    return lambda text: replaced(text, {HOST: product.url, KEY: product.key().key})


@pytest.mark.row("S2-19")
def test_the_curl_example(ours):
    assert SHOWN in shell(ours(CURL))


@pytest.mark.row("S2-19")
def test_the_fetch_example(ours, tmp_path):
    printing = "response.status, await response.text()"
    printed = javascript(ours(FETCH), tmp_path, printing=printing)
    assert printed.startswith("200 ")
    assert SHOWN in printed


@pytest.mark.row("S2-19")
def test_the_axios_example(ours, tmp_path):
    printing = "response.status, JSON.stringify(response.data)"
    directory = with_axios(tmp_path)
    printed = javascript(ours(AXIOS), directory, printing=printing, module=False)
    assert printed.startswith("200 ")
    assert SHOWN in printed


@pytest.mark.row("S2-19")
def test_the_requests_example(ours):
    printed = python(ours(REQUESTS))
    assert printed.startswith("200 ")
    assert SHOWN in printed


@pytest.mark.row("S2-16", "S2-17", "S2-18")
@pytest.mark.parametrize("environment", ["live", "test"])
def test_keys_look_as_documented(product, environment):
    key = product.key(environment=environment).key
    assert len(key) == len(KEY) == 45
    assert re.fullmatch(r"el_(live|test)_[a-z0-9]{32}_[a-z0-9]{4}", key)
    assert re.fullmatch(TEMPLATE.pattern, KEY)
    assert TEMPLATE.read(key).environment == environment


UNAUTHORIZED = {
    "error": {
        "code": "unauthorized",
        "message": "Your API key is invalid, revoked, or missing.",
    }
}


@pytest.mark.row("S2-67")
@pytest.mark.parametrize(
    ("present", "reason"),
    [
        pytest.param(lambda p: None, "missing", id="missing"),
        pytest.param(lambda p: p.key().key, "malformed", id="bare", marks=pytest.mark.row("S2-23")),
        pytest.param(
            lambda p: f"Bearer {p.key().key[:-5]}",
            "malformed",
            id="cut",
            marks=pytest.mark.row("S2-20"),
        ),
        pytest.param(lambda p: f"Bearer {KEY}", "bad_checksum", id="the documented one"),
        pytest.param(lambda p: f"Bearer {p.revoked()}", "revoked", id="revoked"),
    ],
)
def test_one_401_for_everybody_and_each_cause_for_the_owner(product, present, reason):
    response = product.get("/v1/experiences", present(product))
    assert (response.status_code, response.json()) == (401, UNAUTHORIZED)
    assert product.reason(response) == reason


@pytest.mark.row("S2-20")
def test_the_owner_reads_that_the_key_was_cut(product):
    response = product.with_key(product.key().key[:-5])
    product.reason(response)
    assert "cut before the checksum" in product.log.read_text()


@pytest.mark.row("S2-22")
def test_a_key_in_the_query_opens_nothing_and_is_not_logged(product):
    key = product.key().key
    response = product.get("/v1/experiences", params={"api_key": key})
    assert response.status_code == 401
    assert key not in product.log.read_text() + product.server.log()


@pytest.mark.row("S2-69")
def test_a_missing_permission_is_named_in_the_challenge(product):
    response = product.with_key(product.key(["bookings:read"]).key)
    assert response.status_code == 403
    assert response.json()["error"] == {
        "code": "forbidden",
        "message": "Your API key doesn't have permission for this operation.",
    }
    assert 'scope="experiences:read"' in response.headers["WWW-Authenticate"]
    assert product.reason(response) == "insufficient_scope"


PRESETS = {one["name"]: one["scopes"] for one in read_catalogue()["presets"]}


@pytest.mark.row("S2-28", "S2-29", "S2-30", "S2-31")
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_gives_what_the_catalogue_says(product, preset):
    me = product.with_key(product.key(preset=preset).key, "/api/v1/users/me").json()["data"]
    implied = {"bookings:create"} if "bookings:write" in PRESETS[preset] else set()
    assert set(me["scopes"]) == set(PRESETS[preset]) | implied
    if preset.startswith("readonly"):
        assert not [scope for scope in me["scopes"] if not scope.endswith(":read")]


@pytest.mark.row("S2-10", "S2-11")
def test_the_plan_counts_active_keys_and_rotation_still_works(installation, product):
    other = installation.organization("On Growth", scopes=["a:b"])
    [plan] = installation.rows("SELECT id FROM plans WHERE name = 'Growth'")
    installation.change_organization(other, plan_id=plan.id)
    admin = installation.api_key(["keyturn:*", "a:b"], organization=other).key
    headers = {"Authorization": f"Bearer {admin}"}

    def create():
        body = {"name": "key", "scopes": ["a:b"]}
        return product.server.post("/v1/api-keys", headers=headers, json=body)

    made = [create() for _ in range(5)]
    assert [one.status_code for one in made] == [201] * 4 + [403]
    assert made[-1].json()["error"]["code"] == "plan_limit"
    path = f"/v1/api-keys/{made[0].json()['id']}"
    assert product.server.post(f"{path}/rotate", headers=headers, json={}).status_code == 201
    assert create().status_code == 403


@pytest.mark.row("S2-60", "S2-63")
def test_the_limits_of_the_widget(product):
    response = product.with_key(product.key(preset="widget").key, "/v1/widget/experiences")
    assert response.headers["RateLimit-Policy"] == '"minute";q=100;w=60'
    assert response.headers["X-RateLimit-Remaining"] == "99"


@pytest.mark.row("S2-61", "S2-63", "S2-64", "S2-70")
def test_thirty_bookings_a_minute_and_a_hundred_a_day(product):
    headers = {"Authorization": f"Bearer {product.key().key}"}
    answers = []
    while not answers or answers[-1].status_code == 400:
        answers.append(product.http.post("/v1/bookings", headers=headers, json={}))
    *counted, refused = answers
    # More than thirty only if a minute has ended meanwhile.
    assert 30 <= len(counted) <= 60
    for answer in answers:
        assert answer.headers["RateLimit-Policy"] == '"minute";q=30;w=60, "day";q=100;w=86400'
    assert counted[-1].headers["X-RateLimit-Remaining"] == "0"
    assert refused.json()["error"] == {
        "code": "rate_limited",
        "message": "You've exceeded the rate limit for this key.",
    }
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    left = f'"minute";r=0;t={refused.headers["Retry-After"]}, "day";r={100 - len(counted)};'
    assert refused.headers["RateLimit"].startswith(left)
    # A class has its own limits: this key may still look.
    assert product.get("/v1/experiences", **{"headers": headers}).status_code == 200


@pytest.mark.row("S2-71")
def test_a_new_key_works_at_once(product):
    assert product.with_key(product.key().key).status_code == 200


@pytest.mark.row("S2-26")
def test_the_key_is_kept_in_its_variable(product):
    assert "ayaks" in called_with_the_printed_line(product, "EXPERIENCELOCAL_API_KEY")


ACTS = [
    ("api_key.viewed", "GET", "", None),
    ("api_key.updated", "PATCH", "", {"name": "other"}),
    ("api_key.updated", "PATCH", "", {"allowed_ips": ["192.0.2.0/24"]}),
    ("api_key.disabled", "PATCH", "", {"status": "disabled"}),
    ("api_key.enabled", "PATCH", "", {"status": "active"}),
    ("api_key.rotated", "POST", "/rotate", {}),
    ("api_key.revoked", "DELETE", "", None),
]


@pytest.mark.row("S2-8")
def test_each_act_leaves_one_event(product):
    """Who, to which, when, from where, and by which request; and a use of it that failed."""
    admin = product.key(["keyturn:*", *SCOPES])
    headers = {"Authorization": f"Bearer {admin.key}"}
    send = product.server.request
    body = {"name": "walked", "scopes": sorted(SCOPES), "environment": "live"}
    answer = send("POST", "/v1/api-keys", headers=headers, json=body)
    made = answer.json()
    by_request = {answer.headers["X-Request-Id"]: ("api_key.created", admin.id)}
    for type, method, path, body in ACTS:
        also = {} if body is None else {"json": body}
        answer = send(method, f"/v1/api-keys/{made['id']}{path}", headers=headers, **also)
        assert answer.is_success, answer.text
        by_request[answer.headers["X-Request-Id"]] = (type, admin.id)
    failed = send("GET", "/v1/me", headers={"Authorization": f"Bearer {made['key']}"})
    assert failed.status_code in (401, 403)
    by_request[failed.headers["X-Request-Id"]] = ("api_key.refused", made["id"])

    def told():
        query = f"/v1/activity?target_id={made['id']}&limit=200"
        found = send("GET", query, headers=headers).json()["data"]
        return {
            one["request_id"]: (one["type"], one["actor"]["id"])
            for one in found
            if one["ip"] == "127.0.0.1" and one["time"] and one["target"]["type"] == "api_key"
        }

    eventually(lambda: told() == by_request, timeout=20)
