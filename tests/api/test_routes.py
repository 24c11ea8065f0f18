"""Every route, by every kind of credential: the table of who may what."""

import re

import pytest

from keyturn.apikey import DEFAULT_API_KEY
from tests.api.routes import ROUTES


class Other(dict):
    """The same things, but for one."""

    def __init__(self, made, name, value):
        super().__init__({name: value})
        self._made = made

    def __missing__(self, name):
        return self._made[name]


ALL = pytest.mark.parametrize("route", ROUTES, ids=str)


def test_the_table_is_complete(description):
    described = {
        (method, re.sub(r"\{\w+\}", "{}", path))
        for method, path, operation in description.operations()
        if {"bearer": []}.keys() <= {name for one in operation["security"] for name in one}
    }
    assert described == {
        (route.method, "/v1" + re.sub(r"\{\w+\}", "{}", route.path)) for route in ROUTES
    }


@ALL
def test_the_description_names_the_scope(route, description, things, operator):
    url = route.url(things(operator.organization_id))
    needed = [scope for scope in (route.scope, route.also) if scope]
    assert description.operation(route.method, url)["security"] == [
        {"bearer": needed},
        {"oauth2": needed},
    ]


@ALL
def test_without_a_credential(route, api, things, operator):
    made = things(operator.organization_id)
    response = api()(route.method, route.url(made), **route.sent(made))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="http://127.0.0.1:8000"'
    assert response.json()["error"]["code"] == "missing"


@ALL
def test_with_a_wrong_credential(route, api, things, operator, token):
    made = things(operator.organization_id)
    signed = token(["keyturn:*"])
    body, _, signature = signed.rpartition(".")
    changed = "A" if signature[10] != "A" else "B"
    for wrong in (
        f"{body}.{signature[:10]}{changed}{signature[11:]}",  # a signature changed in the middle
        DEFAULT_API_KEY.generate("live"),  # of the right form, and nobody's
        operator.key[:-1] + ("A" if operator.key[-1] != "A" else "B"),  # a wrong checksum
        "not-a-credential",
    ):
        response = api(wrong)(route.method, route.url(made), **route.sent(made))
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith(
            'Bearer realm="http://127.0.0.1:8000", error="invalid_token"'
        )
        assert response.json()["error"]["code"] == "invalid_token"


@ALL
def test_without_the_right(route, api, things, operator, installation, every_scope):
    made = things(operator.organization_id)
    others = every_scope - {route.scope}
    caller = api(installation.api_key(sorted(others)).key)
    response = caller(route.method, route.url(made), **route.sent(made))
    if route.scope is None:
        assert response.status_code == route.status
        return
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "insufficient_scope"
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="http://127.0.0.1:8000", error="insufficient_scope"'
    )


@ALL
def test_with_the_right_alone(route, api, things, operator, installation):
    made = things(operator.organization_id)
    held = [route.scope, "bookings:read"] if route.scope else []
    # Whoever makes or resets a user must be able to do what the user can.
    held += ["keyturn:*"] if "users" in route.path else []
    caller = api(installation.api_key(held).key)
    response = caller(route.method, route.url(made), **route.sent(made))
    assert response.status_code == route.status, response.text
    assert "WWW-Authenticate" not in response.headers


@ALL
def test_by_a_token(route, api, things, operator, token):
    made = things(operator.organization_id)
    response = api(token(["keyturn:*", "bookings:*"]))(
        route.method, route.url(made), **route.sent(made)
    )
    assert response.status_code == route.status, response.text


@ALL
def test_an_unknown_parameter_is_an_error(route, things, operator):
    made = things(operator.organization_id)
    response = operator.admin(route.method, route.url(made) + "?nonsense=1", **route.sent(made))
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == "nonsense"


@pytest.mark.parametrize("route", [r for r in ROUTES if r.body is not None], ids=str)
def test_an_unknown_field_is_an_error(route, things, operator):
    made = things(operator.organization_id)
    sent = route.sent(made)
    sent["json"]["nonsense"] = 1
    response = operator.admin(route.method, route.url(made), **sent)
    assert response.status_code == 400
    assert response.json()["error"]["details"] == [
        {"field": "nonsense", "message": "No such field"}
    ]


@pytest.mark.parametrize("route", [r for r in ROUTES if r.names_an_object], ids=str)
@pytest.mark.parametrize(
    "id",
    [
        "absent",
        "x" * 5000,
        "%00",
        "%27%20OR%201%3D1--",
        "..%2f..%2fclients",
        "{}",
        "a%0d%0aX-Injected:%201",
    ],
    ids=lambda id: id[:12],
)
def test_an_absent_object(route, id, things, operator):
    made = things(operator.organization_id)
    variable = re.findall(r"\{(\w+)\}", route.path)[-1]
    response = operator.admin(
        route.method, route.url(Other(made, variable, id)), **route.sent(made)
    )
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
    assert "X-Injected" not in response.headers


@pytest.mark.parametrize("route", [r for r in ROUTES if r.method == "DELETE"], ids=str)
def test_deletion_is_idempotent(route, things, operator):
    made = things(operator.organization_id)
    assert operator.admin(route.method, route.url(made)).status_code == route.status
    again = operator.admin(route.method, route.url(made))
    assert again.status_code == route.status
    if route.status == 204:
        assert again.content == b""
        assert "Content-Type" not in again.headers


@pytest.mark.parametrize("route", [r for r in ROUTES if r.status == 201], ids=str)
def test_creation_says_where(route, things, operator):
    made = things(operator.organization_id)
    response = operator.admin(route.method, route.url(made), **route.sent(made))
    location = response.headers["Location"]
    assert location.startswith("/v1/")
    shown = operator.admin.get(location)
    assert shown.status_code == 200
    common = shown.json().keys() & response.json().keys()
    assert {name: shown.json()[name] for name in common} == {
        name: response.json()[name] for name in common
    }
    assert not shown.json().keys() & {"key", "client_secret", "sign_in_secret"}


@ALL
def test_trailing_slashes_and_doubled_ones_are_other_paths(route, things, operator):
    made = things(operator.organization_id)
    for url in (route.url(made) + "/", route.url(made).replace("/v1/", "/v1//")):
        response = operator.admin(route.method, url, **route.sent(made))
        assert response.status_code in (404, 405), url
        assert "Location" not in response.headers


def test_methods(api, operator):
    assert operator.admin("PUT", "/v1/clients").status_code == 405
    refused = api()("PUT", "/v1/clients")
    assert refused.status_code == 405
    assert {m.strip() for m in refused.headers["Allow"].split(",")} == {
        "GET",
        "HEAD",
        "OPTIONS",
        "POST",
    }
    asked = api()("OPTIONS", "/v1/clients")
    assert asked.status_code == 200
    assert "POST" in asked.headers["Allow"]
    assert asked.content == b""
    assert "Access-Control-Allow-Origin" not in asked.headers
    head = operator.admin("HEAD", "/v1/clients")
    assert (head.status_code, head.content) == (200, b"")
    assert api()("HEAD", "/v1/clients").status_code == 401
    assert api().get("/v1/nothing").status_code == 404
