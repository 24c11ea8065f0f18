"""Which scope opens which route, as the example's README says it."""

import pytest

from tests.examples.support import GUARDED, ROUTES, SCOPES

ROWS = {
    "experiences:read": "S2-33",
    "bookings:read": "S2-34",
    "availability:read": "S2-35",
    "properties:read": "S2-36",
    "analytics:read": "S2-37",
    "bookings:write": "S2-38",
    "bookings:create": "S2-38",
    "availability:write": "S2-39",
    "widget:access": "S2-40",
}
BRINGING = {"bookings:create": {"bookings:create", "bookings:write"}}
"""Where more than a scope itself gives it."""


def with_rows(routes):
    for route in routes:
        rows = sorted({ROWS[scope] for scope in route.scopes})
        yield pytest.param(route, id=str(route), marks=[pytest.mark.row(row) for row in rows])


def lacking():
    """Every guarded route with all scopes but one that it needs."""
    for route in GUARDED:
        for scope in sorted(route.scopes):
            held = SCOPES - BRINGING.get(scope, {scope})
            yield pytest.param(route, held, id=f"{route} without {scope}")


def test_the_readme_names_every_route(bookings):
    served = {
        f"{method} {rule.rule}"
        for rule in bookings.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    for name in ("experience", "property", "booking"):
        served = {line.replace(f"<{name}_id>", "{id}") for line in served}
    assert served == {str(route) for route in ROUTES}


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_without_credential_nothing(bookings, route):
    response = bookings.ask(route, None)
    assert (response.status_code, response.json["code"]) == (401, "missing")
    # No error: nothing was presented (RFC 6750 §3.1); where to find the issuer (RFC 9728 §5.1).
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="bookings", resource_metadata="https://')
    assert "error" not in challenge
    assert response.json["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize(("route", "held"), list(lacking()))
def test_with_all_scopes_but_the_one_nothing(bookings, route, held):
    response = bookings.ask(route, bookings.token(held))
    assert (response.status_code, response.json["code"]) == (403, "insufficient_scope")
    needed = " ".join(sorted(route.scopes))
    assert f'scope="{needed}"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("environment", ["live", "test"])
@pytest.mark.parametrize("route", list(with_rows(GUARDED)))
def test_with_the_scope_a_token_opens_it(bookings, route, environment):
    token = bookings.token(route.scopes, environment)
    response = bookings.ask(route, token, environment)
    assert response.status_code == (201 if route.method == "POST" else 200), response.text
    assert "data" in response.json


@pytest.mark.parametrize("route", list(with_rows(GUARDED)))
def test_with_the_scope_a_key_opens_it(bookings, route):
    response = bookings.ask(route, bookings.key(route.scopes).key)
    assert response.status_code == (201 if route.method == "POST" else 200), response.text


@pytest.mark.parametrize("credential", [None, "kt_live_mistyped", "a.b.c"])
def test_health_is_public_whatever_is_shown(bookings, credential):
    response = bookings.call("GET", "/health", credential)
    assert (response.status_code, response.json) == (200, {"status": "ok"})


READING = {
    "GET /v1/experiences",
    "GET /v1/experiences/{id}",
    "GET /v1/services",
    "GET /v1/event-types",
    "GET /v1/properties",
    "GET /v1/properties/{id}",
    "GET /v1/availability",
}
PRESETS = {
    "readonly": READING | {"GET /v1/bookings", "GET /v1/bookings/{id}", "GET /v1/analytics"},
    "readonly_public": READING,
    "widget": READING
    | {"POST /v1/bookings", "GET /v1/widget/experiences", "POST /v1/widget/bookings"},
    "full": {str(route) for route in GUARDED},
}


@pytest.mark.parametrize(
    "preset",
    [
        pytest.param("readonly", marks=[pytest.mark.row("S2-29"), pytest.mark.row("S2-41")]),
        pytest.param("readonly_public", marks=pytest.mark.row("S2-29")),
        pytest.param("widget", marks=pytest.mark.row("S2-30")),
        pytest.param("full", marks=pytest.mark.row("S2-31")),
    ],
)
def test_what_a_preset_opens(bookings, preset):
    key = bookings.key(preset=preset).key
    answers = {str(route): bookings.ask(route, key).status_code for route in GUARDED}
    assert {route for route, status in answers.items() if status < 300} == PRESETS[preset]
    assert {status for status in answers.values() if status >= 300} <= {403}
