"""A Flask application behind a guard with a route policy: what starts, what passes, what counts."""

import pytest
from flask import Flask, jsonify

from keyturn import (
    AUTHENTICATED,
    PUBLIC,
    FixedKeys,
    Guard,
    PolicyRefused,
    Route,
    RoutePolicy,
    VerificationKey,
    Verifier,
    all_of,
    any_of,
)
from keyturn.flask import current_principal, protect, register_refusals, require_scope
from keyturn.limits.local import LocalLimits
from tests.keyturn.support import AUDIENCE, EC_KEY, ISSUER, NOW, START, good_token

ROUTES = {
    "GET /health": PUBLIC,
    "GET /me": AUTHENTICATED,
    "GET /bookings": all_of("bookings:read"),
    "POST /bookings": Route(any_of("bookings:create", "bookings:write"), "booking"),
    "DELETE /bookings/{id}": Route(all_of("bookings:burn"), "booking"),
    "OPTIONS /raw": PUBLIC,
    "GET /static/{file}": PUBLIC,
}


def app_of():
    app = Flask("bookings")

    @app.get("/health")
    def health():
        return jsonify(status="ok")

    @app.get("/me")
    @app.get("/bookings", endpoint="list")
    @app.post("/bookings", endpoint="create")
    @app.delete("/bookings/<int:number>", endpoint="delete")
    def view(number=0):
        return jsonify(id=current_principal.id)

    @app.route("/raw", methods=["OPTIONS"])
    def raw():
        return "own"

    return app


@pytest.fixture
def verifier():
    return Verifier(
        ISSUER,
        AUDIENCE,
        keys=FixedKeys([VerificationKey.of("k1", EC_KEY.public_key())]),
        clock=lambda: START,
    )


@pytest.fixture
def app(verifier):
    made = app_of()
    register_refusals(made)
    limits = LocalLimits("4/day", "2/minute:booking", "3/day:booking", now=lambda: NOW)
    made.guard = Guard(verifier, limits=limits)
    protect(made, made.guard, RoutePolicy(ROUTES))
    return made


@pytest.fixture
def api(app):
    return app.test_client()


def bearer(**changes):
    return {"Authorization": f"Bearer {good_token(**changes)}"}


@pytest.mark.row("S1-1", "S3-1")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"GET /me": None}, "not declared: GET /me"),
        ({"GET /static/{file}": None}, "not declared: GET /static/<path:filename>"),
        ({"OPTIONS /raw": None}, "not declared: OPTIONS /raw"),
        ({"PUT /me": PUBLIC}, "declared and not served: PUT /me"),
    ],
)
def test_a_route_that_is_not_declared_stops_the_start(verifier, change, says):
    routes = {name: asked for name, asked in {**ROUTES, **change}.items() if asked is not None}
    with pytest.raises(PolicyRefused) as refused:
        protect(app_of(), Guard(verifier), RoutePolicy(routes))
    assert str(refused.value) == says


def test_a_route_that_comes_later_is_not_open(app, api):
    app.add_url_rule("/late", view_func=lambda: "open")
    assert api.get("/late", headers=bearer()).status_code == 500


@pytest.mark.row("S1-1", "S3-1")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/me", 401),
        ("HEAD", "/me", 401),
        ("GET", "/bookings", 401),
        ("POST", "/bookings", 401),
        ("DELETE", "/bookings/1", 401),
        ("OPTIONS", "/bookings", 200),
        ("OPTIONS", "/raw", 200),
        ("PUT", "/bookings", 405),
        ("DELETE", "/bookings/one", 404),
        ("GET", "/nowhere", 404),
    ],
)
def test_without_a_credential_only_what_is_public(api, method, path, status):
    response = api.open(path, method=method)
    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) is (status == 401)


@pytest.mark.parametrize(
    ("method", "path", "scope", "status"),
    [
        ("GET", "/me", "", 200),
        ("GET", "/bookings", "bookings:read", 200),
        ("GET", "/bookings", "bookings:write", 403),
        ("POST", "/bookings", "bookings:write", 200),
        ("POST", "/bookings", "bookings:create", 200),
        ("POST", "/bookings", "bookings:read", 403),
        ("DELETE", "/bookings/1", "bookings:write", 403),
    ],
)
def test_with_one_what_its_scopes_open(api, method, path, scope, status):
    response = api.open(path, method=method, headers=bearer(scope=scope))
    assert response.status_code == status
    if status == 403:
        named = {"/me": "", "/bookings": "bookings:create", "/bookings/1": "bookings:burn"}[path]
        named = "bookings:read" if method == "GET" else named
        assert f'scope="{named}"' in response.headers["WWW-Authenticate"]


LIMITED = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining",
           "X-RateLimit-Reset")  # fmt: skip


@pytest.mark.row("S2-63", "S2-64", "S2-70", "S1-19", "S1-20")
def test_n_pass_and_every_answer_says_what_is_left(api):
    writer = bearer(scope="bookings:write")
    answers = [
        api.post("/bookings", headers=writer),
        api.delete("/bookings/1", headers=writer),
        api.post("/bookings", headers=writer),
    ]
    assert [answer.status_code for answer in answers] == [200, 403, 429]
    for answer in answers:
        assert all(len(answer.headers.getlist(header)) == 1 for header in LIMITED)
        policy = '"minute";q=2;w=60, "day";q=3;w=86400'
        assert answer.headers["RateLimit-Policy"] == policy
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == list("100")
    refused = answers[-1]
    assert refused.headers["RateLimit"] == '"minute";r=0;t=60, "day";r=1;t=86400'
    assert refused.headers["Retry-After"] == "60"
    assert refused.json["code"] == "rate_limited"
    assert "WWW-Authenticate" not in refused.headers
    # Another class has its own; another credential, too.
    assert api.get("/me", headers=writer).headers["RateLimit"] == '"day";r=3;t=86400'
    other = bearer(scope="bookings:write", sub="c2", client_id="c2")
    assert api.post("/bookings", headers=other).status_code == 200


def test_what_is_refused_before_uses_nothing(api):
    for headers in ({}, bearer(exp=1), {"Authorization": "Bearer x.y.z"}):
        response = api.get("/me", headers=headers)
        assert response.status_code == 401
        assert not [header for header in LIMITED if header in response.headers]
    assert api.get("/health", headers=bearer()).status_code == 200
    assert api.get("/me", headers=bearer()).headers["X-RateLimit-Remaining"] == "3"


def test_a_request_is_counted_once_whoever_asks(app, verifier):
    made = app_of()
    register_refusals(made)

    @made.get("/twice")
    @require_scope(app.guard, "bookings:read")
    @require_scope(app.guard)
    def twice():
        return jsonify(id=current_principal.id)

    protect(made, app.guard, RoutePolicy({**ROUTES, "GET /twice": AUTHENTICATED}))
    api = made.test_client()
    response = api.get("/twice", headers=bearer())
    assert response.headers.getlist("X-RateLimit-Remaining") == ["3"]
    refused = api.get("/twice", headers=bearer(scope=""))
    assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (403, "2")


@pytest.mark.row("S2-70")
@pytest.mark.parametrize(
    ("profile", "error"),
    [
        ("bookingscheduler", {"code": "RATE_LIMITED"}),
        ("reservekit", {"code": "rate_limited", "message": "Too Many Requests"}),
        (
            "experiencelocal",
            {"code": "rate_limited", "message": "You've exceeded the rate limit for this key."},
        ),
        ("astrocal", {"code": "rate_limited"}),
    ],
)
def test_too_many_reads_as_the_profile_says(verifier, profile, error):
    app = app_of()
    register_refusals(app, profile=profile)
    limits = LocalLimits("1/day", now=lambda: NOW)
    protect(app, Guard(verifier, limits=limits), RoutePolicy(ROUTES))
    api = app.test_client()
    assert api.get("/me", headers=bearer()).status_code == 200
    refused = api.get("/me", headers=bearer())
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "86400")
    assert error.items() <= refused.json["error"].items()
