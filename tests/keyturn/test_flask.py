"""The Flask guard, by a real application."""

import logging

import pytest
from flask import Flask, jsonify

from keyturn import DEFAULT_API_KEY, FixedKeys, VerificationKey, Verifier
from keyturn.flask import current_principal, register_refusals, require_scope
from tests.keyturn.support import (
    AUDIENCE,
    EC_KEY,
    ISSUER,
    START,
    FakeIssuer,
    good_token,
)

KEY = DEFAULT_API_KEY.generate("live")


def app_of(verifier, **settings):
    app = Flask("bookings")
    register_refusals(app, **settings)

    @app.get("/bookings")
    @require_scope(verifier, "bookings:read")
    def bookings():
        """The bookings."""
        return jsonify(id=current_principal.id, kind=current_principal.kind)

    @app.get("/guests/<int:number>")
    @require_scope(verifier, "guests:read", "bookings:read")
    def guest(number):
        return jsonify(number=number)

    @app.get("/me")
    @require_scope(verifier)
    def me():
        return jsonify(scopes=list(current_principal.scopes))

    @app.get("/open")
    def unguarded():
        return jsonify(id=current_principal.id)

    return app


@pytest.fixture
def api():
    verifier = Verifier(
        ISSUER,
        AUDIENCE,
        keys=FixedKeys([VerificationKey.of("k1", EC_KEY.public_key())]),
        clock=lambda: START,
    )
    return app_of(verifier).test_client()


def bearer(**changes):
    return {"Authorization": f"Bearer {good_token(**changes)}"}


def test_a_good_token_reaches_the_view(api):
    response = api.get("/bookings", headers=bearer())
    assert (response.status_code, response.json) == (200, {"id": "client_1", "kind": "client"})
    assert api.get("/me", headers=bearer(scope="")).json == {"scopes": []}


INVALID = 'Bearer realm="api", error="invalid_token"'


@pytest.mark.rfc("6750", "3")
@pytest.mark.parametrize(
    ("headers", "status", "code", "challenge"),
    [
        ({}, 401, "missing", 'Bearer realm="api"'),
        ({"Authorization": "Basic YTpi"}, 401, "malformed", 'Bearer realm="api"'),
        ({"Authorization": "Bearer"}, 401, "malformed", INVALID),
        ({"Authorization": "Bearer x.y.z"}, 401, "invalid_token", INVALID),
        ({"Authorization": f"Bearer {KEY}"}, 401, "invalid_token", INVALID),
    ],
)  # fmt: skip
def test_refusals(api, headers, status, code, challenge):
    response = api.get("/bookings", headers=headers)
    assert (response.status_code, response.json["code"]) == (status, code)
    assert response.headers["WWW-Authenticate"].startswith(challenge)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.mimetype == "application/problem+json"
    assert response.json.keys() == {"type", "title", "status", "detail", "code"}


def test_a_missing_scope_is_named(api):
    response = api.get("/guests/1", headers=bearer())
    assert (response.status_code, response.json["code"]) == (403, "insufficient_scope")
    assert 'scope="bookings:read guests:read"' in response.headers["WWW-Authenticate"]
    assert api.get("/guests/1", headers=bearer(scope="bookings:read guests:read")).json == {
        "number": 1
    }


@pytest.mark.row("S0-2")
def test_a_credential_anywhere_else_is_not_seen(api):
    token = good_token()
    for request, code in (
        ({"path": f"/bookings?access_token={token}"}, "in_query"),
        ({"path": "/bookings", "headers": {"X-API-Key": token}}, "missing"),
        ({"path": "/bookings", "data": {"access_token": token}}, "missing"),
        ({"path": "/bookings", "headers": {"Cookie": f"Authorization=Bearer {token}"}}, "missing"),
    ):
        response = api.open(method="GET", **request)
        assert (response.status_code, response.json["code"]) == (401, code)


def test_two_authorization_headers_are_one_too_many(api):
    header = ("Authorization", f"Bearer {good_token()}")
    assert api.get("/bookings", headers=[header, header]).json["code"] == "malformed"


def test_an_unguarded_view_has_no_principal(api):
    api.application.testing = True
    with pytest.raises(RuntimeError, match="no @require_scope"):
        api.get("/open", headers=bearer())


def test_a_principal_does_not_outlive_its_request(api):
    api.application.testing = True
    assert api.get("/bookings", headers=bearer()).status_code == 200
    with pytest.raises(RuntimeError):
        api.get("/open")


def test_the_reason_is_in_the_log_and_not_in_the_answer(api, caplog):
    with caplog.at_level(logging.INFO, "keyturn"):
        response = api.get("/bookings", headers=bearer(exp=1))
    assert "expired" not in response.text
    assert "refused GET /bookings: expired 'token_1' expired at 1" in caplog.text
    assert good_token(exp=1) not in caplog.text


def test_realm_and_request_id_of_ones_own(caplog):
    verifier = Verifier(ISSUER, AUDIENCE)
    api = app_of(verifier, realm="bookings", request_id=lambda: "req_1").test_client()
    with caplog.at_level(logging.INFO, "keyturn"):
        response = api.get("/bookings")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="bookings"'
    assert response.json["request_id"] == "req_1"
    assert "req_1" in caplog.text


def test_the_guard_keeps_the_name_of_the_view(api):
    view = api.application.view_functions["bookings"]
    assert (view.__name__, view.__doc__) == ("bookings", "The bookings.")


def test_keys_their_network_and_an_issuer_that_is_down(issuer, time):
    verifier = Verifier(
        issuer.url, AUDIENCE, "api_1", "s", clock=time.now, monotonic=time.monotonic
    )
    api = app_of(verifier).test_client()
    key = {"Authorization": f"Bearer {KEY}"}
    issuer.knows(KEY, allowed_ips=["127.0.0.1"], allowed_domains=["a.example"])
    origin = {"Origin": "https://a.example"}
    assert api.get("/bookings", headers=key | origin).json == {"id": "key_1", "kind": "api_key"}
    assert api.get("/bookings", headers=key).json["code"] == "origin_mismatch"
    elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.1"}}
    response = api.get("/bookings", headers=key | origin, **elsewhere)
    assert (response.status_code, response.json["code"]) == (403, "ip_not_allowed")
    forwarded = {"X-Forwarded-For": "127.0.0.1"}
    response = api.get("/bookings", headers=key | origin | forwarded, **elsewhere)
    assert response.status_code == 403
    issuer.down(FakeIssuer.INTROSPECT)
    time.advance(15)
    response = api.get("/bookings", headers=key | origin)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "WWW-Authenticate" not in response.headers
    verifier.close()
