"""Guard Starlette applications by a route policy.

from keyturn import PUBLIC, AsyncGuard, AsyncVerifier, RoutePolicy, all_of
from keyturn.starlette import principal_of, protect

guard = AsyncGuard(AsyncVerifier("https://auth.example.com", audience="https://api.example.com"))

async def bookings(request):
    return JSONResponse(bookings_of(principal_of(request.scope).organization))

app = Starlette(routes=[Route("/bookings", bookings)])
protect(app, guard, RoutePolicy({"GET /bookings": all_of("bookings:read")}))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Unpack

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute, compile_path

from keyturn.asgi import GuardMiddleware, Presentation, Scope, admit, principal_of, visit_of
from keyturn.guard import AsyncGuard
from keyturn.routes import PolicyRefused, RoutePolicy
from keyturn.routes import Route as Asked

__all__ = ["admit", "principal_of", "protect"]

ANY = "ANY"
"""How a policy names the method of what takes every one: an application that is mounted."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Served(NamedTuple):
    """A method and a path template that reach an endpoint."""

    method: str
    path: str


Listing = Callable[[Any], Iterator[Served]]


def protect(
    app: Starlette,
    guard: AsyncGuard,
    policy: RoutePolicy,
    *,
    listing: Listing | None = None,
    **how: Unpack[Presentation],
) -> None:
    """Let a request through to its endpoint if it has what `policy` asks of that route.

    Call it when every route is there: the application does not start while one of them is not
    declared. Raises PolicyRefused, which names them; after a route was added later every request
    does. Middleware that is added after this stands before it, as CORS has to. What is mounted and
    has no routes of its own is declared as `ANY /static/{path}`.

    `how`: see `keyturn.asgi.Presentation`. The guard is closed with the application.
    """
    table = Table(app, policy, listing or served)
    app.add_middleware(
        GuardMiddleware, guard=guard, route_of=table.route_of, scopes=policy.scopes, **how
    )


def served(app: Starlette) -> Iterator[Served]:
    """Every endpoint, in the order in which they are tried. Raises PolicyRefused for a route of
    which nobody can say what it matches."""
    yield from routes_served(app.routes)


def routes_served(routes: Iterable[BaseRoute], below: str = "") -> Iterator[Served]:
    """The same of some routes that are mounted below a path."""
    for route in routes:
        if isinstance(route, Route):
            for method in methods_of(route.methods, route.endpoint):
                yield Served(method, below + route.path)
        elif isinstance(route, WebSocketRoute):
            yield Served("GET", below + route.path)  # RFC 6455 §4.1
        elif isinstance(route, Mount):
            if route.routes:
                yield from routes_served(route.routes, below + route.path)
            else:
                yield Served(ANY, below + route.path + "/{path:path}")
        else:
            raise PolicyRefused(f"{type(route).__name__} cannot be declared")


def methods_of(methods: Iterable[str] | None, endpoint: Any) -> list[str]:
    """Those that reach an endpoint."""
    if methods:
        return sorted(methods)
    if isinstance(endpoint, type) and issubclass(endpoint, HTTPEndpoint):
        own = [method for method in _METHODS if hasattr(endpoint, method.lower())]
        return [*own, "HEAD"] if "GET" in own and "HEAD" not in own else own
    return [ANY]


def lists_of(routes: Sequence[BaseRoute]) -> Iterator[Sequence[BaseRoute]]:
    """Every list of routes that can grow: these, of what is mounted, and of FastAPI's routers."""
    yield routes
    for route in routes:
        router = getattr(route, "original_router", route)
        yield from lists_of(getattr(router, "routes", None) or ())


class Table:
    """What each request is asked, by method and path."""

    def __init__(self, app: Starlette, policy: RoutePolicy, listing: Listing) -> None:
        self._app = app
        self._policy = policy
        self._listing = listing
        self._rows: list[tuple[re.Pattern[str], Served, Asked]] = []
        self._lists: list[Sequence[BaseRoute]] = []
        self._size = 0
        self._fill()

    def route_of(self, scope: Scope) -> Asked | None:
        """None where no endpoint will run. Raises PolicyRefused for a route that is new here and
        not declared."""
        if self._size != sum(map(len, self._lists)):
            self._fill()
        path, method = path_of(scope), scope.get("method", "GET")
        for pattern, known, route in self._rows:
            if known.method in (method, ANY) and pattern.match(path):
                visit_of(scope).template = known.path
                return route
        return None

    def _fill(self) -> None:
        found = list(self._listing(self._app))
        self._policy.check(found)
        rows = []
        for one in found:
            route = self._policy.of(*one)
            if route is not None:
                rows.append((compile_path(one.path)[0], one, route))
        self._rows, self._lists = rows, list(lists_of(self._app.routes))
        self._size = sum(map(len, self._lists))


def path_of(scope: Scope) -> str:
    """The path that routes match: without what the application is mounted below."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and (path == root or path.startswith(root + "/")) else path
