"""Django REST framework: an authentication class, and permissions by scope.

class Bookings(APIView):
    authentication_classes = [KeyturnAuthentication]
    permission_classes = [has_scope("bookings:read")]

`keyturn.django.KeyturnMiddleware` must be there: it has the settings, and answers refusals.
"""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission

from keyturn.django import admit
from keyturn.principal import Principal
from keyturn.requirements import Requirement, all_of
from keyturn.routes import AUTHENTICATED, Route


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

    Raises CredentialRefused, which the middleware answers.
    """

    def authenticate(self, request: Any) -> tuple[Caller, Principal] | None:
        if "Authorization" not in request.headers:
            return None
        principal = admit(request._request, AUTHENTICATED)
        return Caller(principal), principal

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


def has_scope(*scopes: str | Requirement, route_class: str = "") -> type[BasePermission]:
    """A permission: all these scopes; none: any valid credential. Raises ValueError.

    >>> reader = has_scope("bookings:read")
    """
    route = Route(all_of(*scopes), route_class)

    class HasScope(BasePermission):  # type: ignore[misc]
        """Counted once a request, however many ask. Raises CredentialRefused."""

        def has_permission(self, request: Any, view: Any) -> bool:
            admit(request._request, route)
            return True

    return HasScope
