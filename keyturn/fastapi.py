"""Guard FastAPI applications: by a route policy, by dependencies, or by both.

from keyturn import AsyncGuard, AsyncVerifier, Principal, RoutePolicy, all_of
from keyturn.fastapi import protect, requires

guard = AsyncGuard(AsyncVerifier("https://auth.example.com", audience="https://api.example.com"))

@app.get("/bookings")
async def bookings(principal: Annotated[Principal, Depends(requires("bookings:read"))]):
    return bookings_of(principal.organization)

protect(app, guard, RoutePolicy({"GET /bookings": all_of("bookings:read")}))
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Unpack

from fastapi import FastAPI, routing
from fastapi.openapi.models import HTTPBearer
from fastapi.requests import HTTPConnection
from fastapi.security.base import SecurityBase
from starlette.routing import Mount, Route, WebSocketRoute

from keyturn import starlette
from keyturn.asgi import GuardMiddleware, Presentation, Scope, admit, principal_of
from keyturn.guard import AsyncGuard
from keyturn.principal import Principal
from keyturn.requirements import Requirement, all_of
from keyturn.routes import PolicyRefused, RoutePolicy
from keyturn.routes import Route as Asked
from keyturn.starlette import ANY, Served, methods_of, routes_served

__all__ = ["current_principal", "install", "protect", "requires"]

SCHEME = "keyturn"
_MODEL = HTTPBearer(
    bearerFormat="JWT or API key",
    description="An access token or an API key, as `Authorization: Bearer …`",
)
_REFUSALS = {
    "401": "No credential, or none that is valid here and now",
    "403": "The credential does not have the scope, or may not be used from here",
    "429": "Too many requests: wait as long as Retry-After says",
    "503": "Nobody can say now whether the credential is valid",
}


def protect(
    app: FastAPI, guard: AsyncGuard, policy: RoutePolicy, **how: Unpack[Presentation]
) -> None:
    """Let a request through to its endpoint if it has what `policy` asks of that route.

    As `keyturn.starlette.protect`, before a request's body is read. FastAPI's own pages
    (`/openapi.json`, `/docs`, …) are routes as any other. OpenAPI names the scheme and the scopes
    of each operation. Raises PolicyRefused.
    """
    app.state.keyturn_guard = guard
    starlette.protect(app, guard, policy, listing=served, **how)
    _describe(app, policy)


def install(app: FastAPI, guard: AsyncGuard, **how: Unpack[Presentation]) -> None:
    """For applications without a route policy: what `requires` needs. Nothing else is asked."""
    app.state.keyturn_guard = guard
    app.add_middleware(GuardMiddleware, guard=guard, route_of=_nothing, **how)
    _describe(app, RoutePolicy({}))


def _nothing(scope: Scope) -> None:
    return None


class requires(SecurityBase):  # noqa: N801 - to those who use it, a function
    """A dependency: the principal, if it holds all these scopes; none: any valid one.

    >>> from typing import Annotated
    >>> from fastapi import Depends
    >>> Reader = Annotated[Principal, Depends(requires("bookings:read"))]

    Counted once a request, however many dependencies ask and whether a policy has asked before.
    Raises CredentialRefused, which `protect` and `install` answer; ValueError for what is no scope.
    """

    def __init__(self, *scopes: str | Requirement, route_class: str = "") -> None:
        self.model = _MODEL
        self.scheme_name = SCHEME
        self.needs = all_of(*scopes)
        self._route = Asked(self.needs, route_class)

    async def __call__(self, connection: HTTPConnection) -> Principal:
        guard: AsyncGuard | None = getattr(connection.app.state, "keyturn_guard", None)
        if guard is None:
            raise RuntimeError("call protect() or install() for this application")
        return await admit(connection.scope, guard, self._route)


async def current_principal(connection: HTTPConnection) -> Principal:
    """A dependency: who presents this request; RuntimeError where nothing was verified."""
    return principal_of(connection.scope)


def served(app: FastAPI) -> Iterator[Served]:
    """Every endpoint, those of included routers as well, in the order in which they are tried.

    Raises PolicyRefused for a route of which nobody can say what it matches.
    """
    for one in _routes(app):
        route = getattr(one, "original_route", one)
        if isinstance(route, Mount):
            if route.routes:
                yield from routes_served(route.routes, one.path)
            else:
                yield Served(ANY, f"{one.path}/{{path:path}}")
        elif isinstance(route, Route):
            for method in methods_of(one.methods, route.endpoint):
                yield Served(method, one.path)
        elif isinstance(route, WebSocketRoute):
            yield Served("GET", one.path)
        else:
            raise PolicyRefused(f"{type(route).__name__} cannot be declared")
    for group in getattr(app.router, "_low_priority_routes", ()):
        for front in group.routes:
            yield Served(ANY, front.path.rstrip("/") + "/{path:path}")


def _routes(app: FastAPI) -> Iterator[Any]:
    # Routers are included by copying in older versions, and by reference in newer ones.
    contexts: Any = getattr(routing, "iter_route_contexts", iter)
    yield from contexts(app.routes)


def _describe(app: FastAPI, policy: RoutePolicy) -> None:
    """Let OpenAPI say what each operation asks (OpenAPI 3.1 §4.8.30)."""
    generate = app.openapi
    scheme = _MODEL.model_dump(by_alias=True, exclude_none=True, mode="json")

    def openapi() -> dict[str, Any]:
        document = generate()
        for one in _routes(app):
            item = document["paths"].get(getattr(one, "path_format", None), {})
            for method in getattr(one, "methods", None) or ():
                asked = _asked(one, policy.of(method, one.path))
                operation = item.get(method.lower())
                if asked is not None and operation is not None:
                    _describe_operation(operation, asked)
                    components = document.setdefault("components", {})
                    components.setdefault("securitySchemes", {})[SCHEME] = scheme
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _asked(one: Any, route: Asked | None) -> Requirement | None:
    """By the policy and by dependencies together."""
    declared = [] if route is None or route.needs is None else [route.needs]
    needs = [*declared, *_asked_by(getattr(one, "dependant", None))]
    return all_of(*needs) if needs else None


def _asked_by(dependant: Any) -> Iterator[Requirement]:
    for one in getattr(dependant, "dependencies", ()):
        if isinstance(one.call, requires):
            yield one.call.needs
        yield from _asked_by(one)


def _describe_operation(operation: dict[str, Any], asked: Requirement) -> None:
    operation["security"] = [{SCHEME: sorted(scopes)} for scopes in asked.alternatives]
    for status, description in _REFUSALS.items():
        operation["responses"].setdefault(status, {"description": description})
