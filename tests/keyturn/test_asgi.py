"""Starlette and FastAPI applications: what starts, what a policy reaches, and what OpenAPI says."""

import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, routing
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import JSONResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute

from keyturn import (
    AUTHENTICATED,
    PUBLIC,
    AsyncGuard,
    AsyncVerifier,
    FixedKeys,
    PolicyRefused,
    Principal,
    RoutePolicy,
    VerificationKey,
    all_of,
    any_of,
)
from keyturn.asgi import GuardMiddleware
from keyturn.fastapi import install, requires
from keyturn.fastapi import protect as protect_fastapi
from keyturn.limits.local import LocalLimits
from keyturn.starlette import principal_of, protect
from tests.keyturn.support import AUDIENCE, EC_KEY, ISSUER, NOW, START, good_token


@pytest.fixture
def guard():
    verifier = AsyncVerifier(
        ISSUER,
        AUDIENCE,
        keys=FixedKeys([VerificationKey.of("k1", EC_KEY.public_key())]),
        clock=lambda: START,
    )
    return AsyncGuard(verifier, limits=LocalLimits("9/day", now=lambda: NOW))


async def view(request):
    return JSONResponse({"id": principal_of(request.scope).id})


class Endpoint(HTTPEndpoint):
    async def get(self, request):
        return await view(request)

    delete = get


async def echo(websocket):
    await websocket.accept()
    await websocket.send_json({"id": principal_of(websocket.scope).id})
    await websocket.close()


async def files(scope, receive, send):
    await JSONResponse("a file")(scope, receive, send)


def starlette_app():
    return Starlette(
        routes=[
            Route("/me", view),
            Route("/class", Endpoint),
            Mount("/v1", routes=[Route("/bookings/{id:int}", view), Mount("/deep", files)]),
            WebSocketRoute("/live", echo),
        ]
    )


DECLARED = {
    "GET /me": AUTHENTICATED,
    "GET /class": all_of("bookings:read"),
    "DELETE /class": all_of("bookings:burn"),
    "GET /v1/bookings/{id}": any_of("bookings:burn", "bookings:read"),
    "ANY /v1/deep/{path}": all_of("bookings:write"),
    "GET /live": all_of("bookings:read"),
}


def fastapi_app():
    app, inner, outer = FastAPI(), APIRouter(prefix="/bookings"), APIRouter(prefix="/v1")

    @inner.get("/{number}")
    async def booking(number: int):
        return number

    outer.include_router(inner)
    app.include_router(outer, prefix="/api")

    @app.post("/bookings")
    async def create(body: dict[str, int]):
        return body

    return app


PAGES = dict.fromkeys(
    (f"GET {path}" for path in ("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc")),
    PUBLIC,
)
FASTAPI = {
    "GET /api/v1/bookings/{number}": all_of("bookings:read"),
    "POST /bookings": any_of("bookings:create", all_of("bookings:read", "bookings:write")),
    **PAGES,
}


def call(app, method, path, token=None, **also):
    async def send():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://api.example.com"
        ) as http:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return await http.request(method, path, headers=headers, **also)

    return asyncio.run(send())


@pytest.mark.row("S1-1", "S3-1")
@pytest.mark.parametrize(
    ("make", "change", "says"),
    [
        (starlette_app, {"GET /me": None}, "not declared: GET /me"),
        (starlette_app, {"DELETE /class": None}, "not declared: DELETE /class"),
        (starlette_app, {"GET /live": None}, "not declared: GET /live"),
        (
            starlette_app,
            {"GET /v1/bookings/{id}": None},
            "not declared: GET /v1/bookings/{id:int}",
        ),
        (
            starlette_app,
            {"ANY /v1/deep/{path}": None},
            "not declared: ANY /v1/deep/{path:path}",
        ),
        (starlette_app, {"PUT /me": PUBLIC}, "declared and not served: PUT /me"),
        (fastapi_app, {"GET /docs": None}, "not declared: GET /docs"),
        (
            fastapi_app,
            {"GET /api/v1/bookings/{number}": None},
            "not declared: GET /api/v1/bookings/{number}",
        ),
        (fastapi_app, {"GET /bookings": PUBLIC}, "declared and not served: GET /bookings"),
    ],
    ids=range(9),
)
def test_a_route_that_is_not_declared_stops_the_start(guard, make, change, says):
    declared = DECLARED if make is starlette_app else FASTAPI
    routes = {name: asked for name, asked in {**declared, **change}.items() if asked is not None}
    with pytest.raises(PolicyRefused) as refused:
        (protect if make is starlette_app else protect_fastapi)(make(), guard, RoutePolicy(routes))
    assert str(refused.value) == says


def test_what_cannot_be_declared_does_not_start(guard):
    app = Starlette(routes=[Host("a.example", app=Starlette())])
    with pytest.raises(PolicyRefused, match="Host cannot be declared"):
        protect(app, guard, RoutePolicy({}))


@pytest.mark.parametrize("where", ["top", "mounted"])
def test_a_route_that_comes_later_is_not_open(guard, where):
    app = starlette_app()
    protect(app, guard, RoutePolicy(DECLARED))
    routes = app.routes if where == "top" else app.routes[2].routes
    routes.append(Route("/late", view))
    with pytest.raises(PolicyRefused, match=r"not declared: GET .*/late"):
        call(app, "GET", "/late" if where == "top" else "/v1/late", good_token())


def test_a_route_that_comes_later_in_a_router_is_not_open(guard):
    app, router = FastAPI(openapi_url=None), APIRouter()
    router.get("/early")(lambda: 1)
    app.include_router(router)
    protect_fastapi(app, guard, RoutePolicy({"GET /early": PUBLIC}))
    router.get("/late")(lambda: 2)
    if hasattr(routing, "iter_route_contexts"):  # newer versions look again, older ones copied
        with pytest.raises(PolicyRefused, match="not declared: GET /late"):
            call(app, "GET", "/late")
    else:
        assert call(app, "GET", "/late").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "scope", "status"),
    [
        ("GET", "/me", "", 200),
        ("HEAD", "/me", "", 200),
        ("GET", "/me/", "", 307),
        ("GET", "/class", "bookings:read", 200),
        ("HEAD", "/class", "bookings:read", 200),
        ("GET", "/class", "x:y", 403),
        ("DELETE", "/class", "bookings:read", 403),
        ("PUT", "/class", "bookings:read", 405),
        ("GET", "/v1/bookings/7", "bookings:read", 200),
        ("GET", "/v1/bookings/seven", "bookings:read", 404),
        ("POST", "/v1/bookings/7", "bookings:read", 405),
        ("GET", "/v1/deep/a/b", "bookings:read", 403),
        ("PURGE", "/v1/deep/a/b", "bookings:read", 403),
        ("PURGE", "/v1/deep/a/b", "bookings:write", 200),
        ("GET", "/v1/deep", "bookings:read", 307),
    ],
)
def test_what_a_policy_reaches(guard, method, path, scope, status):
    app = starlette_app()
    protect(app, guard, RoutePolicy(DECLARED))
    response = call(app, method, path, good_token(scope=scope))
    assert response.status_code == status
    if status in (200, 403):
        assert call(app, method, path).status_code == 401


def test_below_another_path(guard):
    app = starlette_app()
    protect(app, guard, RoutePolicy(DECLARED))
    outer = Starlette(routes=[Mount("/api", app)])
    assert call(outer, "GET", "/api/me").status_code == 401
    assert call(outer, "GET", "/api/me", good_token()).status_code == 200


def exchange(app, scope, *messages):
    """What an application sends when these messages come."""
    incoming, sent = iter(messages), []

    async def receive():
        return next(incoming)

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    ("scope", "extensions", "sends"),
    [
        ("bookings:read", {}, ["websocket.accept", "websocket.send", "websocket.close"]),
        ("x:y", {}, ["websocket.close"]),
        (None, {}, ["websocket.close"]),
        (
            None,
            {"websocket.http.response": {}},
            ["websocket.http.response.start", "websocket.http.response.body"],
        ),
    ],
    ids=range(4),
)
def test_websockets(guard, scope, extensions, sends):
    app = starlette_app()
    protect(app, guard, RoutePolicy(DECLARED))
    shown = f"Bearer {good_token(scope=scope)}".encode()
    connecting = {
        "type": "websocket",
        "scheme": "wss",
        "path": "/live",
        "query_string": b"",
        "headers": [] if scope is None else [(b"authorization", shown)],
        "extensions": extensions,
    }
    sent = exchange(app, connecting, {"type": "websocket.connect"})
    assert [message["type"] for message in sent] == sends
    if sends[0].endswith("start"):
        assert sent[0]["status"] == 401
        assert b"www-authenticate" in dict(sent[0]["headers"])
    elif len(sends) == 1:
        assert sent[0]["code"] == 1008


def test_any_asgi_application(guard):
    app = GuardMiddleware(files, guard)
    assert call(app, "GET", "/x").status_code == 401
    passed = call(app, "GET", "/x", good_token())
    assert (passed.json(), passed.headers["X-RateLimit-Remaining"]) == ("a file", "8")
    with pytest.raises(ValueError, match="profile"):
        GuardMiddleware(files, guard, profile="nobody's")


# FastAPI ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "scope", "status"),
    [
        ("GET", "/openapi.json", None, 200),
        ("GET", "/api/v1/bookings/7", None, 401),
        ("GET", "/api/v1/bookings/7", "bookings:read", 200),
        ("GET", "/api/v1/bookings/7", "bookings:write", 403),
        ("POST", "/bookings", None, 401),  # before the body is looked at
        ("POST", "/bookings", "bookings:read", 403),
        ("POST", "/bookings", "bookings:create", 422),
        ("POST", "/bookings", "bookings:read bookings:write", 422),
    ],
)
def test_a_policy_for_fastapi(guard, method, path, scope, status):
    app = fastapi_app()
    protect_fastapi(app, guard, RoutePolicy(FASTAPI))
    token = None if scope is None else good_token(scope=scope)
    assert call(app, method, path, token, content=b"{").status_code == status


def test_openapi_says_what_is_asked(guard):
    app = fastapi_app()
    protect_fastapi(app, guard, RoutePolicy(FASTAPI))
    for _ in range(2):
        document = call(app, "GET", "/openapi.json").json()
        read = document["paths"]["/api/v1/bookings/{number}"]["get"]
        create = document["paths"]["/bookings"]["post"]
        assert document["components"]["securitySchemes"]["keyturn"]["scheme"] == "bearer"
        assert read["security"] == [{"keyturn": ["bookings:read"]}]
        assert create["security"] == [
            {"keyturn": ["bookings:create"]},
            {"keyturn": ["bookings:read", "bookings:write"]},
        ]
        assert {"200", "401", "403", "429", "503"} <= read["responses"].keys()


Reader = Annotated[Principal, Depends(requires("bookings:read"))]
Anybody = Annotated[Principal, Depends(requires())]


def test_dependencies_alone(guard):
    app = FastAPI()

    @app.get("/bookings")
    async def bookings(principal: Reader, again: Anybody):
        return [principal.id, again.id]

    @app.get("/open")
    def unguarded():
        return "open"

    install(app, guard, realm="bookings")
    assert call(app, "GET", "/open").json() == "open"
    passed = call(app, "GET", "/bookings", good_token())
    assert passed.json() == ["client_1", "client_1"]
    assert passed.headers["X-RateLimit-Remaining"] == "8"  # once, however many ask
    refused = call(app, "GET", "/bookings", good_token(scope="x:y"))
    assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (403, "7")
    assert 'realm="bookings"' in call(app, "GET", "/bookings").headers["WWW-Authenticate"]
    document = call(app, "GET", "/openapi.json").json()
    assert document["paths"]["/bookings"]["get"]["security"] == [{"keyturn": ["bookings:read"]}]
    assert "security" not in document["paths"]["/open"]["get"]


def test_a_dependency_without_a_guard_is_not_open():
    app = FastAPI()

    @app.get("/bookings")
    async def bookings(principal: Reader):
        return principal.id

    with pytest.raises(RuntimeError, match="protect"):
        call(app, "GET", "/bookings", good_token())


def test_the_guard_is_closed_with_the_application(guard):
    closed = []

    async def close():
        closed.append(True)

    guard.close = close
    app = starlette_app()
    protect(app, guard, RoutePolicy(DECLARED))
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = exchange(app, {"type": "lifespan"}, *messages)
    assert [message["type"] for message in sent][-1] == "lifespan.shutdown.complete"
    assert closed == [True]
