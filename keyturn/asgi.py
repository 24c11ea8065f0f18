"""Guard ASGI applications, of whatever framework: pure ASGI, with nothing to install.

from keyturn.asgi import GuardMiddleware

app = GuardMiddleware(app, AsyncGuard(AsyncVerifier("https://auth.example.com", audience="…")))

`keyturn.starlette` and `keyturn.fastapi` do the same by a route policy.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypedDict, Unpack

from keyturn.acting import ActingHeaders
from keyturn.edge import Edge, Told, log_refusal
from keyturn.errors import CredentialRefused
from keyturn.guard import AsyncGuard, Stay
from keyturn.limits.headers import limit_headers
from keyturn.limits.values import Usage
from keyturn.principal import Principal
from keyturn.profiles import DEFAULT_PROFILE, PROFILES
from keyturn.proxies import Proxies
from keyturn.resource import HEADERS, ProtectedResource
from keyturn.restrictions import IPAddress
from keyturn.routes import AUTHENTICATED, Route

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Presentation(TypedDict, total=False):
    """How an application tells of refusals, and what it believes of requests."""

    realm: str
    """In challenges; "api"."""
    profile: str | Callable[[Scope], str]
    """How refusals read (`keyturn.profiles.PROFILES`), or what says it for a request."""
    request_id: Callable[[Scope], str | None]
    """Under which id a refusal is logged and answered."""
    acting: ActingHeaders
    """The names of the headers of service credentials."""
    proxies: Proxies | None
    """Whose forwarded headers are believed; see `keyturn.edge.Edge`."""
    resource: ProtectedResource | None
    """What clients find out about this API (RFC 9728), if not the verifier's audience and
    issuer."""


_VISIT = "keyturn"
_TRY_AGAIN_LATER = 1013
_POLICY_VIOLATION = 1008


@dataclass(slots=True)
class Visit:
    """One request: who it is, once that is known, and how it was refused."""

    teller: Teller
    stay: Stay | None = None
    refused: CredentialRefused | None = None
    guard: AsyncGuard | None = None
    ip: str | IPAddress | None = None
    template: str = ""
    """Of the path, where a policy knows it."""
    began: float = field(default_factory=perf_counter)

    @property
    def usages(self) -> tuple[Usage, ...]:
        """How the limits stand."""
        return () if self.stay is None else self.stay.usages

    def leave(self) -> None:
        """There is an answer: it is counted, if it was not yet."""
        if self.stay is not None:
            self.stay.leave(self.refused)

    def tell(self, scope: Scope, status: int) -> None:
        """Once there is an answer: for the usage log, where single requests are wanted."""
        by = self.refused or (None if self.stay is None else self.stay.principal)
        if by is not None and self.guard is not None and self.guard.wants_served:
            self.guard.served(
                by,
                method=scope.get("method", "GET"),
                route=self.template or getattr(scope.get("route"), "path", ""),
                status=status,
                seconds=perf_counter() - self.began,
                ip=self.ip,
                user_agent=_header(scope["headers"], "User-Agent"),
                request_id=self.teller.request_id(scope),
            )


@dataclass(frozen=True, slots=True)
class Teller:
    """How an application tells of refusals. `profile` and `request_id` may depend on the request's
    scope."""

    edge: Edge = field(default_factory=Edge)
    profile: str | Callable[[Scope], str] = DEFAULT_PROFILE
    request_id: Callable[[Scope], str | None] = lambda scope: None

    @classmethod
    def of(cls, guard: AsyncGuard, how: Presentation) -> Teller:
        """Raises ValueError for a profile that there is not."""
        edge = Edge(
            how.get("realm", "api"),
            how.get("acting", ActingHeaders()),
            how.get("proxies"),
            how.get("resource") or guard.verifier.resource,
        )
        return cls(
            edge, how.get("profile", DEFAULT_PROFILE), how.get("request_id", lambda scope: None)
        )

    def __post_init__(self) -> None:
        if not callable(self.profile) and self.profile not in PROFILES:
            raise ValueError(f"profile: one of {', '.join(PROFILES)}")

    def profile_of(self, scope: Scope) -> str:
        return self.profile(scope) if callable(self.profile) else self.profile

    def refusal(self, refused: CredentialRefused, scope: Scope) -> Told:
        """The answer to a refusal, which goes to the log as well."""
        request_id = self.request_id(scope)
        log_refusal(refused, scope.get("method", "WEBSOCKET"), scope["path"], request_id)
        return self.edge.refusal(refused, self.profile_of(scope), request_id)


def visit_of(scope: Scope) -> Visit:
    """What is known of this request. Raises RuntimeError where no middleware of ours stands."""
    visit: Visit | None = scope.get(_VISIT)
    if visit is None:
        raise RuntimeError("no keyturn middleware stands before this application")
    return visit


def principal_of(scope: Scope) -> Principal:
    """Who presents this request; RuntimeError where nothing was verified."""
    stay = visit_of(scope).stay
    if stay is None:
        raise RuntimeError("no principal: nothing guards this endpoint, or it is public")
    return stay.principal


async def admit(scope: Scope, guard: AsyncGuard, route: Route) -> Principal:
    """Who passes here, counted once a request, however many ask. Raises CredentialRefused."""
    visit = visit_of(scope)
    stay = visit.stay
    if stay is not None and stay.guard is guard and route.needs is not None:
        stay.require(route.needs)
        return stay.principal
    visit.leave()  # what another guard has let in
    headers = scope["headers"]
    client = scope.get("client")
    seen = visit.teller.edge.seen(
        lambda name: _header(headers, name),
        peer=client[0] if client else None,
        scheme=str(scope.get("scheme", "http")).replace("ws", "http"),
        url=f"{scope['path']}?{scope['query_string'].decode('ascii', 'replace')}",
        profile=visit.teller.profile_of(scope),
    )
    visit.guard, visit.ip = guard, seen.get("ip")
    try:
        stay = await guard.enter(_header(headers, "Authorization"), route, **seen)
    except CredentialRefused as refused:
        visit.refused = refused
        raise
    visit.stay, visit.refused = stay, None
    return stay.principal


def _header(headers: list[tuple[bytes, bytes]], name: str) -> str | None:
    wanted = name.lower().encode("latin-1")
    values = [value for known, value in headers if known == wanted]
    # Several are one list (RFC 9110 §5.2): of two credentials that makes none.
    return b",".join(values).decode("latin-1") if values else None


class GuardMiddleware:
    """Stands before an application: asks, answers refusals, and says what is left of the limits.

    >>> from keyturn import AsyncGuard, AsyncVerifier
    >>> async def app(scope, receive, send): ...
    >>> verifier = AsyncVerifier("https://auth.example.com", audience="https://api.example.com")
    >>> app = GuardMiddleware(app, AsyncGuard(verifier))

    A refusal that the application answers by an exception handler of its own is reported as one,
    too, but not through a middleware that runs the application in another task (Starlette's
    `BaseHTTPMiddleware`). The resource's metadata is served here. With the application's end the
    guard is closed.
    """

    def __init__(
        self,
        app: App,
        guard: AsyncGuard,
        route_of: Callable[[Scope], Route | None] = lambda scope: AUTHENTICATED,
        scopes: Collection[str] = (),
        **how: Unpack[Presentation],
    ) -> None:
        """`route_of`: what a request has to have; None: nothing is asked. `scopes`: all that some
        route asks for, as the metadata says it. `how`: see `Presentation`. Raises ValueError."""
        self.app = app
        self.guard = guard
        self._route_of = route_of
        self._teller = Teller.of(guard, how)
        resource = self._teller.edge.resource
        self._path = None if resource is None else resource.path
        self._metadata = b"" if resource is None else resource.body(scopes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._live(scope, receive, send)
            return
        if scope["path"] == self._path and scope.get("method") in ("GET", "HEAD"):
            await _answer(Told(200, list(HEADERS), self._metadata), send)
            return
        visit = scope[_VISIT] = Visit(self._teller)
        status: int | None = None

        async def sending(message: Message) -> None:
            nonlocal status
            if status is None:
                status = message.get("status", 101)
                handled = sys.exc_info()[1]
                if status >= 400 and isinstance(handled, CredentialRefused):
                    visit.refused = handled  # the application answers it by a handler of its own
                visit.leave()  # now, and not at the end of what may stream for hours
            if message["type"] == "http.response.start" and visit.usages:
                left = _raw(limit_headers(visit.usages))
                message["headers"] = [*message.get("headers", ()), *left]
            await send(message)

        try:
            route = self._route_of(scope)
            if route is not None and route.needs is not None:
                await admit(scope, self.guard, route)
            await self.app(scope, receive, sending)
        except CredentialRefused as refused:
            if status is not None:
                raise
            status, visit.refused = refused.status, refused
            told = self._teller.refusal(refused, scope)
            if not refused.usages:
                told.headers.extend(limit_headers(visit.usages))
            await (_answer if scope["type"] == "http" else _close)(told, send, scope)
        finally:
            visit.leave()
            visit.tell(scope, 500 if status is None else status)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self.guard.close()
            await send(message)

        await self.app(scope, receive, sending)


async def _answer(told: Told, send: Send, scope: Scope | None = None, kind: str = "http") -> None:
    headers = [*told.headers, ("Content-Length", str(len(told.body)))]
    start = {"type": f"{kind}.response.start", "status": told.status, "headers": _raw(headers)}
    await send(start)
    body = b"" if scope is not None and scope.get("method") == "HEAD" else told.body
    await send({"type": f"{kind}.response.body", "body": body})


async def _close(told: Told, send: Send, scope: Scope) -> None:
    if "websocket.http.response" in scope.get("extensions", {}):
        await _answer(told, send, scope, "websocket.http")
    else:
        # Before it is accepted: servers make that a 403.
        code = _TRY_AGAIN_LATER if told.status in (429, 503) else _POLICY_VIOLATION
        await send({"type": "websocket.close", "code": code})


def _raw(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
