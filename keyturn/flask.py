"""Guard Flask views by scope; the one module here that imports a framework.

from keyturn import PUBLIC, Guard, RoutePolicy, Verifier, all_of
from keyturn.flask import current_principal, protect, register_refusals

guard = Guard(Verifier("https://auth.example.com", audience="https://api.example.com"))

@app.get("/bookings")
def bookings():
    return bookings_of(current_principal.organization)

register_refusals(app)
protect(app, guard, RoutePolicy({"GET /bookings": all_of("bookings:read")}))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, wraps
from time import perf_counter
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from flask import Flask, Response, after_this_request, current_app, g, request
from werkzeug.local import LocalProxy

from keyturn import edge
from keyturn.acting import ActingHeaders
from keyturn.bearer import Verifier
from keyturn.edge import Edge, Told, log_refusal
from keyturn.errors import CredentialRefused
from keyturn.guard import Guard, Stay
from keyturn.limits.headers import limit_headers
from keyturn.principal import Principal
from keyturn.profiles import DEFAULT_PROFILE, PROFILES, Failure
from keyturn.proxies import Proxies
from keyturn.requirements import all_of
from keyturn.resource import HEADERS, ProtectedResource
from keyturn.restrictions import IPAddress
from keyturn.routes import Route, RoutePolicy

_TOLD, _RESOURCE = "keyturn", "keyturn.resource"

P = ParamSpec("P")
R = TypeVar("R")


def _principal() -> Principal:
    principal = g.get("keyturn_principal")
    if principal is None:
        raise RuntimeError("no principal: this view has no @require_scope, or is public")
    return cast(Principal, principal)


current_principal: Principal = cast(Principal, LocalProxy(_principal))
"""Who presents the current request; RuntimeError where nothing was verified."""


def protect(
    app: Flask,
    guard: Guard,
    policy: RoutePolicy,
    *,
    proxies: Proxies | None = None,
    resource: ProtectedResource | None = None,
) -> None:
    """Let a request through to its view if it has what `policy` asks of that route.

    Call it when every route is there: the application does not start while one of them is not
    declared. Raises PolicyRefused, which names them. `proxies`: as in `require_scope`. `resource`:
    what clients find out about this API (RFC 9728), if not the verifier's audience and issuer.
    """
    served = [(method, rule.rule) for rule in app.url_map.iter_rules() for method in _methods(rule)]
    policy.check(served)
    routes = {place: policy.of(*place) for place in served}
    found = resource or guard.verifier.resource
    app.extensions[_RESOURCE] = found

    def admit() -> Response | None:
        rule = request.url_rule
        if found is not None and request.path == found.path and request.method in ("GET", "HEAD"):
            return Response(found.body(policy.scopes), headers=HEADERS)
        if rule is None or request.method not in _methods(rule):
            return None  # no view will run: 404, 405, or what Flask itself says of the methods
        route = routes.get((request.method, rule.rule))
        if route is None:
            raise RuntimeError(f"{rule.rule} was added after protect()")
        if route.needs is not None:
            _admit(guard, route, proxies)
        return None

    app.before_request(admit)


def _methods(rule: Any) -> Iterator[str]:
    """Those that reach a view; OPTIONS is Flask's own unless the view names it."""
    own = {"OPTIONS"} if rule.provide_automatic_options else set()
    return iter(sorted((rule.methods or set()) - own))


def require_scope(
    guard: Guard | Verifier,
    *scopes: str,
    route_class: str = "",
    proxies: Proxies | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a request through to the view if its credential holds all these scopes; none: any valid
    one.

    Raises CredentialRefused, which `register_refusals` turns into an answer. With `proxies` the
    caller's address is what they say of it, and https is required; `Proxies()` where the app is
    reached directly. Without, the address is `request.remote_addr`, and plain HTTP is taken.
    """
    door = Guard(guard) if isinstance(guard, Verifier) else guard
    route = Route(all_of(*scopes), route_class)

    def guarding(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            _admit(door, route, proxies)
            return cast(R, current_app.ensure_sync(view)(*args, **kwargs))

        return guarded

    return guarding


def _admit(guard: Guard, route: Route, proxies: Proxies | None) -> None:
    stay: Stay | None = g.get("keyturn_stay")
    if stay is not None and stay.guard is guard and route.needs is not None:
        stay.require(route.needs)
        return  # counted once a request, however many ask
    told = _told()
    seen = replace(told.edge, proxies=proxies).seen(
        _header,
        peer=request.remote_addr,
        scheme=request.scheme,
        url=f"{request.path}?{request.query_string.decode('ascii', 'replace')}",
        profile=told.profile(),
    )
    if guard.wants_served:
        _tell_when_served(guard, seen.get("ip"))
    try:
        entered = guard.enter(request.headers.get("Authorization"), route, **seen)
    except CredentialRefused as refused:
        g.keyturn_refused = refused
        raise
    g.keyturn_stay, g.keyturn_principal, g.keyturn_refused = entered, entered.principal, None

    @after_this_request
    def say_what_is_left(response: Response) -> Response:
        entered.leave(g.keyturn_refused)
        response.headers.extend(limit_headers(entered.usages))
        return response


def _leave(error: BaseException | None = None) -> None:
    """Where no answer was made, too: an error that Flask lets through to the server."""
    stay: Stay | None = g.get("keyturn_stay")
    if stay is not None:
        stay.leave(g.keyturn_refused)


def _tell_when_served(guard: Guard, ip: str | IPAddress | None) -> None:
    """Once there is an answer: for the usage log."""
    begun = perf_counter()

    @after_this_request
    def tell(response: Response) -> Response:
        _leave()
        by = g.get("keyturn_refused") or g.get("keyturn_principal")
        if by is not None:
            guard.served(
                by,
                method=request.method,
                route=request.url_rule.rule if request.url_rule is not None else "",
                status=response.status_code,
                seconds=perf_counter() - begun,
                ip=ip,
                user_agent=request.headers.get("User-Agent"),
                request_id=_told().request_id(),
            )
        return response


def _header(name: str) -> str | None:
    # From the environ: most requests have none of those that are asked for.
    value: str | None = request.environ.get(_variable(name))
    return value


@cache
def _variable(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


def register_refusals(
    app: Flask,
    *,
    realm: str = "api",
    request_id: Callable[[], str | None] = lambda: None,
    profile: str | Callable[[], str] = DEFAULT_PROFILE,
    acting: ActingHeaders = ActingHeaders(),  # noqa: B008 - immutable
) -> None:
    """Answer every CredentialRefused in this app, and log why.

    `profile` names how the answer reads (`keyturn.profiles.PROFILES`), or says it for the current
    request. The exact reason is in the log only, under the logger `keyturn`, with the id that
    `request_id` gives and that the answer has as X-Request-Id. `acting` names the headers of
    service credentials; where the profile has one of its own for the mode, either is read.
    """
    told = profile if callable(profile) else lambda: profile
    if not callable(profile) and profile not in PROFILES:
        raise ValueError(f"profile: one of {', '.join(PROFILES)}")
    app.extensions[_TOLD] = _Told(told, request_id, Edge(realm, acting))

    def answer(refused: CredentialRefused) -> Response:
        log_refusal(refused, request.method, request.path, request_id())
        return refusal(refused, realm=realm, request_id=request_id(), profile=told())

    app.register_error_handler(CredentialRefused, answer)
    app.teardown_request(_leave)


def refusal(
    refused: CredentialRefused,
    *,
    realm: str = "api",
    request_id: str | None = None,
    profile: str = DEFAULT_PROFILE,
) -> Response:
    """The answer to one refusal (RFC 6750 §3), for those who register handlers of their own."""
    g.keyturn_refused = refused
    edge = Edge(realm, resource=current_app.extensions.get(_RESOURCE))
    return _response(edge.refusal(refused, profile, request_id))


def failure(status: int, code: str, message: str, **also: Any) -> Response:
    """Whatever else goes wrong in this app, told in the same form as its refusals.

    `also`: `details`, a list of what is wrong with each field.
    """
    told = _told()
    failed = Failure(status, code, message, request_id=told.request_id(), **also)
    return _response(edge.failure(failed, told.profile()))


class _Told(NamedTuple):
    profile: Callable[[], str] = lambda: DEFAULT_PROFILE
    request_id: Callable[[], str | None] = lambda: None
    edge: Edge = Edge()


def _told() -> _Told:
    found: _Told = current_app.extensions.get(_TOLD, _UNTOLD)
    return found


_UNTOLD = _Told()


def _response(told: Told) -> Response:
    return Response(told.body, told.status, told.headers)
