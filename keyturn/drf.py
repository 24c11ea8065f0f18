"""Django REST framework: an authentication class, and permissions by scope.

class Bookings(APIView):
    authentication_classes = [KeyturnAuthentication]
    permission_classes = [has_scope("bookings:read")]

`keyturn.django.KeyturnMiddleware` must be there: it has the settings, and answers refusals. What
permissions ask is known when they are asked: `RESOURCE` names those scopes for the metadata
(`keyturn.ProtectedResource`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission

from keyturn.django import admit
from keyturn.principal import Principal
from keyturn.requirements import Requirement, all_of
from keyturn.routes import AUTHENTICATED, Route

_ASKING = "_keyturn_asking"


class Caller:
    """`request.user`: a program, of which there is no row in any table."""

    is_authenticated = True
    is_anonymous = False
    is_active = True

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.pk = principal.id

    def __str__(self) -> str:
        return self.principal.id


class KeyturnAuthentication(BaseAuthentication):  # type: ignore[misc]
    """`request.auth` is the principal, `request.user` a `Caller`; both anonymous without a header.

    It comes first, so it is what counts: for what the view's permissions of `has_scope` ask, and in
    their class of routes. Raises CredentialRefused, which the middleware answers.
    """

    def authenticate(self, request: Any) -> tuple[Caller, Principal] | None:
        if "Authorization" not in request.headers:
            return None
        view, route = (request.parser_context or {}).get("view"), AUTHENTICATED
        # Who chooses permissions by the user authenticates in the midst of being asked for them.
        if view is not None and not getattr(request._request, _ASKING, False):
            setattr(request._request, _ASKING, True)
            route = _asked_by(view.get_permissions())
        principal = admit(request._request, route)
        return Caller(principal), principal

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class HasScope(BasePermission):  # type: ignore[misc]
    """Counted once a request, however many ask. Raises CredentialRefused."""

    route: Route = AUTHENTICATED

    def has_permission(self, request: Any, view: Any) -> bool:
        admit(request._request, self.route)
        return True


def has_scope(*scopes: str | Requirement, route_class: str = "") -> type[BasePermission]:
    """A permission: all these scopes; none: any valid credential. Raises ValueError.

    >>> reader = has_scope("bookings:read")
    """
    return type("HasScope", (HasScope,), {"route": Route(all_of(*scopes), route_class)})


def _asked_by(permissions: Iterable[Any]) -> Route:
    routes = tuple(one.route for one in permissions if isinstance(one, HasScope))
    return routes[0] if len(routes) == 1 else _together(routes)


@lru_cache(maxsize=256)
def _together(routes: tuple[Route, ...]) -> Route:
    """All that they ask, in the first class of routes that one of them names."""
    needs = all_of(*(route.needs for route in routes if route.needs is not None))
    return Route(needs, next((one.route_class for one in routes if one.route_class), ""))
