"""One table for all frameworks, over real HTTP: who passes, and how refusals read."""

import re
import subprocess
import sys
import time as real_time
from collections import Counter
from contextlib import closing, contextmanager

import httpx
import pytest

from keyturn import DEFAULT_API_KEY
from keyturn.client import TokenSource
from keyturn.discovery import metadata_url
from tests.keyturn.adapters import ADAPTERS
from tests.keyturn.support import good_token, running_issuer
from tests.support.installation import ROOT, process_environ
from tests.support.served import eventually, free_port

KEYS = {name: DEFAULT_API_KEY.generate("live") for name in ("plain", "here", "site", "service")}
UNKNOWN = DEFAULT_API_KEY.generate("live")


@contextmanager
def served(adapter, issuer, audience=None, own=("api_1", "kts_live_x")):
    """The adapter's API, and HTTP to it as through a proxy that ends TLS."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.keyturn.adapters", adapter, str(port)],
        cwd=ROOT,
        env=process_environ(
            {
                "ISSUER": issuer,
                "AUDIENCE": audience or f"{url}/v1",
                "CLIENT_ID": own[0],
                "CLIENT_SECRET": own[1],
            }
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    headers = {"X-Forwarded-Proto": "https"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=20) as http:
            eventually(lambda: process.poll() is not None or answers(http), timeout=40)
            assert process.poll() is None, process.stdout.read().decode()
            yield http
    finally:
        process.terminate()
        process.communicate(timeout=20)


def answers(http):
    try:
        return http.get("/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def issuer():
    with running_issuer() as running:
        audience = {"aud": "https://api.example.com"}
        running.knows(KEYS["plain"], **audience)
        running.knows(KEYS["here"], allowed_ips=["198.51.100.0/24"], **audience)
        running.knows(KEYS["site"], allowed_domains=["a.example"], **audience)
        acts = {"scope": "keyturn:act-as-organization bookings:read", **audience}
        running.knows(KEYS["service"], **acts)
        running.knows(f"{KEYS['service']} org_2 test", **acts | {"org": "org_2", "env": "test"})
        running.known[f"{KEYS['service']} org_3"] = {"active": False, "reason": "org_not_allowed"}
        yield running


@pytest.fixture(scope="module", params=ADAPTERS)
def api(request, issuer):
    with served(request.param, issuer.url, "https://api.example.com") as http:
        yield http


@pytest.fixture
def token(issuer):
    def make(scope="bookings:read", **changes):
        now = int(real_time.time())
        times = {"iat": now, "exp": now + 900}
        return good_token(iss=issuer.url, scope=scope, **times | changes)

    return make


def bearer(credential):
    return {"Authorization": f"Bearer {credential}"}


CHALLENGE = 'Bearer realm="bookings"'
METADATA = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"'
INVALID = f'{CHALLENGE}, error="invalid_token", error_description="The credential is not valid"'
JSON = "application/problem+json"

HERE = {"X-Forwarded-For": "198.51.100.7"}
ELSEWHERE = {"X-Forwarded-For": "198.51.100.7, 192.0.2.1"}

# method and path, what is presented, status, code
CASES = [
    ("GET /health", {}, 200, None),
    ("HEAD /health", {}, 200, None),
    ("GET /me", {}, 401, "missing"),
    ("HEAD /me", {}, 401, None),
    ("POST /bookings", {}, 401, "missing"),
    ("DELETE /bookings/1", {}, 401, "missing"),
    ("GET /nowhere", {}, 404, None),
    ("PUT /bookings", {}, 405, None),
    ("DELETE /bookings/one", {}, 404, None),
    ("GET /me", {"Authorization": "Basic YTpi"}, 401, "malformed"),
    ("GET /me", {"Authorization": "Bearer"}, 401, "malformed"),
    ("GET /me", bearer("x.y.z"), 401, "invalid_token"),
    ("GET /me", bearer(UNKNOWN), 401, "invalid_token"),
    ("GET /me", {"X-API-Key": KEYS["plain"]}, 401, "missing"),
    ("GET /me", [("Authorization", f"Bearer {KEYS['plain']}")] * 2, 401, "malformed"),
    ("GET /me", bearer(KEYS["plain"]), 200, None),
    ("GET /bookings", bearer(KEYS["plain"]), 200, None),
    ("POST /bookings", bearer(KEYS["plain"]), 403, "insufficient_scope"),
    ("GET /rooms", bearer(KEYS["plain"]), 403, "insufficient_scope"),
    (f"GET /bookings?api_key={KEYS['plain']}", {}, 401, "in_query"),
    (f"GET /bookings?api_key={KEYS['plain']}", bearer(KEYS["plain"]), 401, "in_query"),
    ("GET /me", bearer(KEYS["plain"]) | {"X-Forwarded-Proto": "http"}, 401, "insecure_transport"),
    ("GET /me", bearer(KEYS["here"]), 403, "ip_not_allowed"),
    ("GET /me", bearer(KEYS["here"]) | HERE, 200, None),
    ("GET /me", bearer(KEYS["here"]) | ELSEWHERE, 403, "ip_not_allowed"),
    ("GET /me", bearer(KEYS["site"]), 403, "origin_mismatch"),
    ("GET /me", bearer(KEYS["site"]) | {"Origin": "https://a.example"}, 200, None),
    ("GET /me", bearer(KEYS["service"]), 400, "org_required"),
    ("GET /me", bearer(KEYS["service"]) | {"X-Org-Id": "org_2", "X-Mode": "test"}, 200, None),
    ("GET /me", bearer(KEYS["service"]) | {"X-Org-Id": "org_3"}, 403, "org_not_allowed"),
    ("GET /me", bearer(KEYS["plain"]) | {"X-Org-Id": "org_3"}, 200, None),
]  # fmt: skip


@pytest.mark.row("S0-2", "S1-1", "S2-21", "S2-22", "S3-1")
@pytest.mark.rfc("6750", "3")
@pytest.mark.parametrize(("line", "headers", "status", "code"), CASES, ids=range(len(CASES)))
def test_who_passes_and_what_refusals_say(api, line, headers, status, code):
    method, path = line.split(" ")
    response = api.request(method, path, headers=headers)
    assert response.status_code == status, response.text
    challenged = status == 401 or (status == 403 and code != "org_not_allowed")
    assert ("WWW-Authenticate" in response.headers) is challenged
    if challenged:
        assert response.headers["WWW-Authenticate"].startswith(CHALLENGE)
        assert response.headers["WWW-Authenticate"].endswith(METADATA)
        assert response.headers["Cache-Control"] == "no-store"
    if code is not None:
        assert response.headers["Content-Type"] == JSON
        assert response.json()["code"] == code
    elif status == 200 and path != "/health":
        organization = "org_2" if "X-Org-Id" in headers and "X-Mode" in headers else "org_1"
        assert response.json() == {"id": "key_1", "organization": organization}


def test_what_a_challenge_says(api):
    refused = api.get("/me", headers=bearer(UNKNOWN)).headers["WWW-Authenticate"]
    assert refused == f"{INVALID}, {METADATA}"
    refused = api.get("/rooms", headers=bearer(KEYS["plain"])).headers["WWW-Authenticate"]
    assert 'error="insufficient_scope", error_description=' in refused
    assert f'scope="rooms:read", {METADATA}' in refused


@pytest.mark.row("S2-70")
@pytest.mark.parametrize(
    ("profile", "body"),
    [
        ("oauth", {"error": "invalid_token", "error_description": "The credential is not valid"}),
        ("reservekit", {"error": {"code": "invalid", "message": "API key invalid"}}),
        (
            "bookingscheduler",
            {
                "success": False,
                "error": {
                    "code": "INVALID_API_KEY",
                    "message": "The API key provided is invalid or has been revoked.",
                },
            },
        ),
    ],
)
def test_profiles(api, profile, body):
    response = api.get("/me", headers=bearer(UNKNOWN) | {"X-Profile": profile})
    assert (response.json(), response.headers["Content-Type"]) == (body, "application/json")


def test_the_header_that_a_profile_has_for_the_mode(api):
    named = {"X-Org-Id": "org_2", "X-Profile": "astrocal", "X-Astrocal-Mode": "test"}
    response = api.get("/me", headers=bearer(KEYS["service"]) | named)
    assert response.json()["organization"] == "org_2"


def test_a_request_id(api):
    response = api.get("/me", headers={"X-Id": "req_1"})
    assert (response.headers["X-Request-Id"], response.json()["request_id"]) == ("req_1", "req_1")


LIMITED = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining",
           "X-RateLimit-Reset")  # fmt: skip


@pytest.mark.row("S2-63", "S2-64", "S2-70", "S1-19", "S1-20")
def test_limits(api, token, request):
    """Counted once a request, refused or not, and said on every answer."""
    who = {"sub": request.node.name, "client_id": request.node.name}
    writer = bearer(token("bookings:write", **who))
    calls = [("POST", "/bookings"), ("DELETE", "/bookings/1"), ("POST", "/bookings")]
    answers = [api.request(*call, headers=writer) for call in calls]
    assert [answer.status_code for answer in answers] == [200, 403, 429]
    for answer, left in zip(answers, "100", strict=True):
        assert all(len(answer.headers.get_list(name)) == 1 for name in LIMITED)
        assert answer.headers["RateLimit-Policy"] == '"minute";q=100;w=60, "day";q=2;w=86400'
        assert answer.headers["X-RateLimit-Remaining"] == left
    assert answers[2].json()["code"] == "rate_limited"
    assert int(answers[2].headers["Retry-After"]) > 0
    # Of another class, and asked twice: by the policy and by the view.
    assert api.get("/rooms", headers=writer).headers["X-RateLimit-Remaining"] == "999"
    assert api.get("/me", headers=writer).headers["X-RateLimit-Remaining"] == "998"
    for headers in ({}, bearer("x.y.z")):
        refused = api.get("/me", headers=headers)
        assert not [name for name in LIMITED if name in refused.headers]


# method and path, scope that is held, as what it is counted: class of routes, scope, outcome
COUNTED = [
    ("GET /me", "bookings:read", "", "", "success"),
    ("HEAD /me", "bookings:read", "", "", "success"),
    ("GET /rooms", "bookings:read", "", "rooms:read", "refused"),
    ("GET /rooms", "rooms:read", "", "rooms:read", "success"),
    ("GET /halls", "bookings:read", "", "halls:read", "refused"),
    ("GET /halls", "halls:read", "", "", "success"),
    ("GET /bookings", "bookings:read", "", "bookings:read", "success"),
    ("POST /bookings", "bookings:write", "booking", "bookings:write", "success"),
    ("DELETE /bookings/1", "bookings:write", "booking", "bookings:burn", "refused"),
    ("POST /bookings", "bookings:write", "booking", "bookings:write", "limited"),
]


def test_what_is_reported(api, issuer, token, request):
    id = f"client_{[*ADAPTERS].index(request.node.callspec.params['api'])}"
    for line, held, *_ in COUNTED:
        headers = bearer(token(held, sub=id, client_id=id))
        api.request(*line.split(" "), headers=headers)

    def reported(part, *names):
        found = Counter()
        for report in issuer.reports:
            for one in report.get(part, ()):
                if one["credential_id"] == id:
                    found[tuple(one[name] for name in names)] += one.get("count", 1)
        return found

    kinds = Counter(tuple(kind) for _, _, *kind in COUNTED)
    eventually(lambda: reported("entries", "route_class", "scope", "outcome") == kinds)
    lines = Counter((line.split(" ")[0], outcome) for line, *_, outcome in COUNTED)
    eventually(lambda: reported("requests", "method", "outcome") == lines)


def test_an_issuer_that_is_away(api, issuer):
    issuer.down(issuer.INTROSPECT)
    try:
        response = api.get("/me", headers=bearer(DEFAULT_API_KEY.generate("live")))
    finally:
        issuer.up()
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "WWW-Authenticate" not in response.headers
    assert response.json()["code"] == "unavailable"


@pytest.mark.rfc("9728", "3")
def test_metadata(api, issuer, request):
    scopes = {
        "scopes_supported": ["bookings:burn", "bookings:create", "bookings:read", "bookings:write"]
    }
    if request.node.callspec.params["api"] == "django REST framework":
        scopes = {}  # permissions say theirs when they are asked
    response = api.get("/.well-known/oauth-protected-resource")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.json() == {
        "resource": "https://api.example.com",
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        **scopes,
    }


@pytest.mark.rfc("9728", "5")
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_client_finds_the_issuer_and_gets_in(installation, server, adapter):
    """Knowing nothing but the address of the API."""
    own = installation.client(["keyturn:introspect"])
    with served(adapter, server.url, own=own) as http:
        refused = http.get("/bookings")
        [found] = re.findall('resource_metadata="([^"]*)"', refused.headers["WWW-Authenticate"])
        resource = str(http.base_url.copy_with(path="/v1"))
        assert found == resource.replace("/v1", "/.well-known/oauth-protected-resource/v1")
        metadata = http.get(found).json()
        # §3.3: else it is somebody else's, and so may be the issuer it names.
        assert metadata["resource"] == resource
        [issuer] = metadata["authorization_servers"]
        assert http.get(metadata_url(issuer)).json()["issuer"] == issuer
        installation.resource(resource, scopes=["bookings:*"])
        client = installation.client(["bookings:read"])
        # Another process has made it known; the server hears of that in a moment.
        eventually(lambda: server.ask(client, resource=resource).status_code == 200)
        with closing(TokenSource(issuer, *client, resource=resource)) as source:
            passed = http.get("/bookings", headers=bearer(source.token()))
    assert passed.json()["id"] == client.client_id
