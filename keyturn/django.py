"""Guard Django applications, under WSGI and ASGI: a middleware, and a decorator for single views.

MIDDLEWARE = ["keyturn.django.KeyturnMiddleware", …]
KEYTURN = {
    "VERIFIER": {"issuer": "https://auth.example.com", "audience": "https://api.example.com"},
    "ROUTES": {"GET /bookings/": all_of("bookings:read"), "GET /health/": PUBLIC},
}

def bookings(request):
    return JsonResponse(bookings_of(principal_of(request).organization))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, wraps
from time import perf_counter
from typing import Any, cast

from asgiref.sync import (
    async_to_sync,
    iscoroutinefunction,
    markcoroutinefunction,
    sync_to_async,
)
from django.conf import settings
from django.contrib.admindocs.utils import replace_metacharacters, replace_named_groups
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.urls import URLResolver, get_resolver
from django.views import View

from keyturn.acting import ActingHeaders
from keyturn.async_bearer import AsyncVerifier
from keyturn.bearer import Verifier
from keyturn.edge import Edge, Told, log_refusal
from keyturn.errors import CredentialRefused
from keyturn.guard import AsyncGuard, Guard, Seen, Stay
from keyturn.limits.headers import limit_headers
from keyturn.principal import Principal
from keyturn.profiles import DEFAULT_PROFILE, PROFILES
from keyturn.requirements import Requirement, all_of
from keyturn.resource import HEADERS, ProtectedResource
from keyturn.routes import Route, RoutePolicy
from keyturn.usage import UsageReporter

NAMES = {
    *("VERIFIER", "ROUTES", "UNDER", "LIMITS", "USAGE"),
    *("REALM", "PROFILE", "REQUEST_ID", "ACTING", "PROXIES", "RESOURCE"),
}
"""What the setting KEYTURN may hold; see docs/frameworks.md."""
ANY = "ANY"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_VISIT = "_keyturn_visit"

Respond = Callable[[HttpRequest], Any]


class Door:
    """What stands before a Django application, as its settings say."""

    def __init__(self, said: Mapping[str, Any], is_async: bool) -> None:
        """Raises ImproperlyConfigured, and PolicyRefused for routes that are not declared."""
        unknown = sorted(said.keys() - NAMES)
        self.profile: str | Callable[[HttpRequest], str] = said.get("PROFILE", DEFAULT_PROFILE)
        if unknown or not (callable(self.profile) or self.profile in PROFILES):
            raise ImproperlyConfigured(f"KEYTURN: {', '.join(unknown) or 'no such PROFILE'}")
        verifier = (AsyncVerifier if is_async else Verifier)(**said["VERIFIER"])
        usage: dict[str, Any] = said.get("USAGE", {})
        made: dict[str, Any] = {
            "limits": said["LIMITS"](verifier) if said.get("LIMITS") else None,
            "usage": UsageReporter(verifier, **usage) if "USAGE" in said else None,
        }
        self.guard: Guard | AsyncGuard = (
            Guard(verifier, **made)
            if isinstance(verifier, Verifier)
            else AsyncGuard(verifier, **made)
        )
        self.request_id: Callable[[HttpRequest], str | None] = said.get(
            "REQUEST_ID", lambda _: None
        )
        self.resource: ProtectedResource | None = said.get("RESOURCE") or verifier.resource
        self._edge = Edge(
            said.get("REALM", "api"),
            said.get("ACTING", ActingHeaders()),
            said.get("PROXIES"),
            self.resource,
        )
        self._policy = RoutePolicy(said["ROUTES"]) if "ROUTES" in said else None
        self._under = said.get("UNDER", "/")
        self.scopes = self._policy.scopes if self._policy is not None else frozenset()
        if self._policy is not None:
            self._policy.check(self._served(self._policy))

    def asked(self, request: HttpRequest, view: Any) -> Route | HttpResponse | None:
        """What this view asks by the policy; None: nothing, or no view will run."""
        match = request.resolver_match
        path = template(match.route) if match is not None else ""
        if self._policy is None or not path.startswith(self._under):
            return None
        route = self._policy.of(request.method or "", path)
        if route is None:
            methods = methods_of(view)
            if methods is None:
                allowed = [method for method in _METHODS if self._policy.of(method, path)]
                return HttpResponseNotAllowed(allowed)
            if request.method in methods:
                raise RuntimeError(f"{path} was added after the start")
        return route

    def seen(self, request: HttpRequest) -> Seen:
        return self._edge.seen(
            request.headers.get,
            peer=request.META.get("REMOTE_ADDR"),
            scheme=request.scheme or "http",
            url=f"{request.path}?{request.META.get('QUERY_STRING', '')}",
            profile=self._profile_of(request),
        )

    def refusal(self, refused: CredentialRefused, request: HttpRequest) -> HttpResponse:
        """The answer to a refusal, which goes to the log as well."""
        _visit(request).refused = refused
        request_id = self.request_id(request)
        log_refusal(refused, request.method or "", request.path, request_id)
        return _response(self._edge.refusal(refused, self._profile_of(request), request_id))

    def metadata(self, request: HttpRequest) -> HttpResponse | None:
        """That of the resource, where it is asked for (RFC 9728)."""
        found = self.resource
        if found is None or request.path != found.path or request.method not in ("GET", "HEAD"):
            return None
        return _response(Told(200, list(HEADERS), found.body(self.scopes)))

    def _profile_of(self, request: HttpRequest) -> str:
        return self.profile(request) if callable(self.profile) else self.profile

    def _served(self, policy: RoutePolicy) -> Iterator[tuple[str, str]]:
        for path, view in _views(get_resolver()):
            if path.startswith(self._under):
                # A function takes any method: those that are declared get through to it.
                declared = [method for method in _METHODS if policy.of(method, path)]
                methods = methods_of(view)
                for method in (declared or [ANY]) if methods is None else methods:
                    yield method, path


def _no_id(request: HttpRequest) -> None:
    return None


class Visit:
    """One request: who it is, once that is known, and how it was refused."""

    def __init__(self, door: Door, request: HttpRequest) -> None:
        setattr(request, _VISIT, self)
        self.door = door
        self.stay: Stay | None = None
        self.refused: CredentialRefused | None = None
        self.seen: Seen = {}
        self._began = perf_counter()

    def met(self, route: Route) -> bool:
        """Whether it was admitted before: counted once a request. Raises InsufficientScope."""
        if self.stay is None or route.needs is None:
            return False
        self.stay.require(route.needs)
        return True

    @contextmanager
    def admitting(self, request: HttpRequest) -> Iterator[None]:
        """Around the question who it is; keeps what is seen, and a refusal."""
        self.seen = self.door.seen(request)
        try:
            yield
        except CredentialRefused as refused:
            self.refused = refused
            raise
        self.refused = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self.leave()  # also where no answer was made

    def leave(self) -> None:
        """There is an answer: it is counted, if it was not yet."""
        if self.stay is not None:
            self.stay.leave(self.refused)

    def tell(self, request: HttpRequest, status: int) -> None:
        """Once there is an answer: for the usage log, where single requests are wanted."""
        by = self.refused or (None if self.stay is None else self.stay.principal)
        match = request.resolver_match
        if by is not None and self.door.guard.wants_served:
            self.door.guard.served(
                by,
                method=request.method or "",
                route=template(match.route) if match is not None else "",
                status=status,
                seconds=perf_counter() - self._began,
                ip=self.seen.get("ip"),
                user_agent=request.headers.get("User-Agent"),
                request_id=self.door.request_id(request),
            )


class KeyturnMiddleware:
    """Asks before each view what `KEYTURN["ROUTES"]` says, and answers every CredentialRefused.

    The application does not start while a route below `KEYTURN["UNDER"]` is not declared. Put it
    below what answers without a credential, as CORS has to, and above everything else.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Respond) -> None:
        self._respond = get_response
        self._is_async = iscoroutinefunction(get_response)
        self._door = Door(settings.KEYTURN, self._is_async)
        if self._is_async:
            markcoroutinefunction(self)
            self.process_view = self._process_view_async  # type: ignore[method-assign]

    def __call__(self, request: HttpRequest) -> Any:
        if self._is_async:
            return self._answer_async(request)
        with Visit(self._door, request):
            return self._door.metadata(request) or _told(request, self._respond(request))

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        with Visit(self._door, request):
            return self._door.metadata(request) or _told(request, await self._respond(request))

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> Any:
        asked = self._door.asked(request, view)
        if not isinstance(asked, Route) or asked.needs is None:
            return asked if isinstance(asked, HttpResponse) else None
        try:
            admit(request, asked)
        except CredentialRefused as refused:
            return self._door.refusal(refused, request)
        return None

    async def _process_view_async(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        asked = self._door.asked(request, view)
        if not isinstance(asked, Route) or asked.needs is None:
            return asked if isinstance(asked, HttpResponse) else None
        try:
            await admit_async(request, asked)
        except CredentialRefused as refused:
            return self._door.refusal(refused, request)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, CredentialRefused):
            return self._door.refusal(exception, request)
        return None


def principal_of(request: HttpRequest) -> Principal:
    """Who presents this request; RuntimeError where nothing was verified."""
    stay = _visit(request).stay
    if stay is None:
        raise RuntimeError("no principal: nothing guards this view, or it is public")
    return stay.principal


def require_scope(
    *scopes: str | Requirement, route_class: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a request through to the view, of either kind, if its credential holds all these scopes;
    none: any valid one.

    Raises CredentialRefused, which the middleware answers.
    """
    route = Route(all_of(*scopes), route_class)

    def guarding(view: Callable[..., Any]) -> Callable[..., Any]:
        if iscoroutinefunction(view):

            @wraps(view)
            async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                await admit_async(request, route)
                return await view(request, *args, **kwargs)

            return guarded_async

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            admit(request, route)
            return view(request, *args, **kwargs)

        return guarded

    return guarding


def admit(request: HttpRequest, route: Route) -> Principal:
    """Who passes here, counted once a request, however many ask. Raises CredentialRefused."""
    visit = _visit(request)
    if not visit.met(route):
        guard = visit.door.guard
        ask = guard.enter if isinstance(guard, Guard) else async_to_sync(guard.enter)
        with visit.admitting(request):
            visit.stay = ask(request.headers.get("Authorization"), route, **visit.seen)
    return principal_of(request)


async def admit_async(request: HttpRequest, route: Route) -> Principal:
    """The same for tasks."""
    visit = _visit(request)
    if not visit.met(route):
        guard = visit.door.guard
        ask = sync_to_async(guard.enter) if isinstance(guard, Guard) else guard.enter
        with visit.admitting(request):
            asked = ask(request.headers.get("Authorization"), route, **visit.seen)
            visit.stay = await cast(Awaitable[Stay], asked)
    return principal_of(request)


@lru_cache(maxsize=4096)
def template(route: str) -> str:
    """A path template, of a route as Django writes it.

    >>> template("bookings/<int:number>/"), template("^rooms/(?P<id>[0-9]+)/$")
    ('/bookings/<int:number>/', '/rooms/<id>/')
    """
    path: str = replace_metacharacters(replace_named_groups(route))
    return "/" + path.lstrip("/")


def methods_of(view: Any) -> list[str] | None:
    """Those that reach a view; None where it takes every one, as functions do."""
    kind = getattr(view, "view_class", getattr(view, "cls", None))
    if kind is None:
        return None
    names = getattr(view, "actions", None) or kind.http_method_names
    # OPTIONS is Django's own unless the view has one.
    own = [n for n in names if hasattr(kind, n) or n in (getattr(view, "actions", None) or ())]
    return [n.upper() for n in own if n != "options" or kind.options is not View.options]


def _views(resolver: URLResolver, below: str = "") -> Iterator[tuple[str, Any]]:
    for one in resolver.url_patterns:
        route = str(one.pattern)
        route = below + (route.removeprefix("^") if below else route)
        if isinstance(one, URLResolver):
            yield from _views(one, route)
        else:
            yield template(route), one.callback


def _visit(request: HttpRequest) -> Visit:
    visit: Visit | None = getattr(request, _VISIT, None)
    if visit is None:
        raise RuntimeError("keyturn.django.KeyturnMiddleware is not in MIDDLEWARE")
    return visit


def _told(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    visit = _visit(request)
    visit.leave()
    visit.tell(request, response.status_code)
    for name, value in limit_headers(visit.stay.usages if visit.stay is not None else ()):
        response.headers[name] = value
    return response


def _response(told: Told) -> HttpResponse:
    return HttpResponse(told.body, status=told.status, headers=dict(told.headers))
