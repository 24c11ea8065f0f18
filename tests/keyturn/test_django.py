"""Django applications: what starts, what a policy reaches, and REST framework."""

import pytest
from django.http import JsonResponse
from django.urls import include, path, re_path
from django.views import View

from keyturn import (
    AUTHENTICATED,
    PUBLIC,
    FixedKeys,
    PolicyRefused,
    ProtectedResource,
    VerificationKey,
    all_of,
)
from keyturn.limits.local import LocalLimits
from tests.keyturn.support import (
    AUDIENCE,
    EC_KEY,
    ISSUER,
    NOW,
    START,
    good_token,
    with_django_settings,
)

with_django_settings()

from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from keyturn.django import KeyturnMiddleware, principal_of, require_scope  # noqa: E402
from keyturn.drf import KeyturnAuthentication, has_scope  # noqa: E402


def view(request, **matched):
    return JsonResponse({"id": principal_of(request).id})


def public(request):
    return JsonResponse({})


@require_scope("rooms:read")
@require_scope()
def rooms(request):
    return view(request)


class Bookings(View):
    def get(self, request, **matched):
        return view(request)

    delete = get


class Rest(APIView):
    authentication_classes = (KeyturnAuthentication,)
    permission_classes = (has_scope("bookings:read"),)

    def get(self, request):
        return JsonResponse({"user": str(request.user), "auth": request.auth.id})


class ByUser(Rest):
    """Whose permissions depend on who asks."""

    def get_permissions(self):
        return super().get_permissions() if str(self.request.user) == "client_1" else []


class Urls:
    urlpatterns = (
        path("me", view),
        path("rooms", rooms),
        path("v1/", include([path("bookings/<int:number>", Bookings.as_view())])),
        re_path(r"^old/(?P<number>[0-9]+)/$", view),
        path("rest", Rest.as_view()),
        path("by-user", ByUser.as_view()),
    )


ROUTES = {
    "GET /me": AUTHENTICATED,
    "PATCH /me": all_of("bookings:write"),
    "GET /rooms": PUBLIC,
    "GET /v1/bookings/{number}": all_of("bookings:read"),
    "DELETE /v1/bookings/{number}": all_of("bookings:burn"),
    "GET /old/{number}/": all_of("bookings:read"),
    "GET /rest": PUBLIC,
    "OPTIONS /rest": PUBLIC,
    "GET /by-user": PUBLIC,
    "OPTIONS /by-user": PUBLIC,
}
SAID = {
    "VERIFIER": {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "keys": FixedKeys([VerificationKey.of("k1", EC_KEY.public_key())]),
        "clock": lambda: START,
    },
    "ROUTES": ROUTES,
    "LIMITS": lambda verifier: LocalLimits("9/day", now=lambda: NOW),
}


def configured(**changes):
    said = {name: value for name, value in {**SAID, **changes}.items() if value is not None}
    return override_settings(
        ROOT_URLCONF=Urls, MIDDLEWARE=["keyturn.django.KeyturnMiddleware"], KEYTURN=said
    )


@pytest.fixture
def api():
    with configured():
        yield Client()


def bearer(**changes):
    return {"Authorization": f"Bearer {good_token(**changes)}"}


@pytest.mark.row("S1-1", "S3-1")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"GET /rooms": None}, "not declared: ANY /rooms"),
        (
            {"DELETE /v1/bookings/{number}": None},
            "not declared: DELETE /v1/bookings/<int:number>",
        ),
        ({"GET /old/{number}/": None}, "not declared: ANY /old/<number>/"),
        ({"GET /nowhere": PUBLIC}, "declared and not served: GET /nowhere"),
        ({"PUT /rest": PUBLIC}, "declared and not served: PUT /rest"),
    ],
    ids=range(5),
)
def test_a_route_that_is_not_declared_stops_the_start(change, says):
    routes = {name: asked for name, asked in {**ROUTES, **change}.items() if asked is not None}
    with configured(ROUTES=routes), pytest.raises(PolicyRefused) as refused:
        KeyturnMiddleware(view)
    assert str(refused.value) == says


def test_settings_that_cannot_be():
    for change in ({"ROUTE": {}}, {"PROFILE": "nobody's"}):
        with configured(**change), pytest.raises(ImproperlyConfigured):
            KeyturnMiddleware(view)


@pytest.mark.parametrize(
    ("method", "path", "scope", "status"),
    [
        ("GET", "/me", None, 401),
        ("GET", "/me", "", 200),
        ("HEAD", "/me", "", 200),
        ("PATCH", "/me", "bookings:read", 403),
        ("PATCH", "/me", "bookings:write", 200),
        ("POST", "/me", "bookings:write", 405),
        ("OPTIONS", "/me", "bookings:write", 405),
        ("GET", "/v1/bookings/7", None, 401),
        ("GET", "/v1/bookings/7", "bookings:read", 200),
        ("DELETE", "/v1/bookings/7", "bookings:read", 403),
        ("POST", "/v1/bookings/7", None, 405),
        ("OPTIONS", "/v1/bookings/7", None, 200),
        ("GET", "/v1/bookings/seven", None, 404),
        ("GET", "/old/7/", None, 401),
        ("GET", "/old/7/", "bookings:read", 200),
        ("GET", "/rooms", None, 401),
        ("GET", "/rooms", "bookings:read", 403),
        ("GET", "/rooms", "rooms:read", 200),
    ],
)
def test_what_a_policy_and_decorators_reach(api, method, path, scope, status):
    headers = {} if scope is None else bearer(scope=scope)
    response = api.generic(method, path, headers=headers)
    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) is (status in (401, 403))
    if status == 405:
        assert response.headers["Allow"].startswith("GET")


def test_a_request_is_counted_once_whoever_asks(api):
    answers = [api.get(path, headers=bearer(scope="rooms:read")) for path in ("/rooms", "/me")]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["8", "7"]


def test_only_what_is_below_a_path():
    routes = {name: asked for name, asked in ROUTES.items() if " /v1/" in name}
    with configured(ROUTES=routes, UNDER="/v1/"):
        assert Client().get("/v1/bookings/7").status_code == 401
        assert Client().get("/rooms").status_code == 401  # by its decorator
        with pytest.raises(RuntimeError, match="nothing guards"):
            Client().get("/me")


def test_without_a_policy_decorators_ask():
    with configured(ROUTES=None):
        assert Client().get("/rooms").status_code == 401
        assert Client().get("/rooms", headers=bearer(scope="rooms:read")).status_code == 200


@pytest.mark.parametrize(
    ("routes", "named", "supported"),
    [
        (None, (), None),
        (None, ("bookings:read", "rooms:read"), ["bookings:read", "rooms:read"]),
        (ROUTES, ("rooms:read",), ["bookings:burn", "bookings:read", "bookings:write",
                                   "rooms:read"]),
    ],
    ids=range(3),
)  # fmt: skip
def test_the_metadata_names_what_permissions_and_decorators_ask(routes, named, supported):
    resource = ProtectedResource("https://api.example.com/v1", (ISSUER,), scopes=named)
    with configured(ROUTES=routes, RESOURCE=resource):
        found = Client().get(resource.path).json()
    assert found.get("scopes_supported") == supported


def test_without_the_middleware_nothing_is_open():
    with (
        override_settings(ROOT_URLCONF=Urls, MIDDLEWARE=[]),
        pytest.raises(RuntimeError, match="MIDDLEWARE"),
    ):
        Client().get("/rooms", headers=bearer(scope="rooms:read"))


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "missing"),
        ({"Authorization": "Bearer x.y.z"}, 401, "invalid_token"),
        (bearer(scope="x:y"), 403, "insufficient_scope"),
        (bearer(), 200, None),
    ],
    ids=range(4),
)
def test_rest_framework(api, headers, status, code):
    response = api.get("/rest", headers=headers)
    assert response.status_code == status
    if code is None:
        assert response.json() == {"user": "client_1", "auth": "client_1"}
    else:
        assert response.json()["code"] == code
        assert "WWW-Authenticate" in response.headers


@pytest.mark.parametrize(
    ("client", "scope", "status"),
    [
        ("client_1", "bookings:read", 200),
        ("client_1", "rooms:read", 403),
        ("client_2", "rooms:read", 200),
    ],
)
def test_permissions_that_are_chosen_by_the_user(api, client, scope, status):
    headers = bearer(client_id=client, sub=client, scope=scope)
    assert api.get("/by-user", headers=headers).status_code == status
