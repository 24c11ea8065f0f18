"""Guard: who may pass. A request is verified, counted, and asked for its scopes, in this order.

Free of any framework: an adapter says what it knows of a request, and renders what comes out.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from keyturn.bearer import Verifier
from keyturn.errors import InsufficientScope
from keyturn.limits.values import Usage
from keyturn.principal import Principal
from keyturn.restrictions import IPAddress
from keyturn.routes import AUTHENTICATED, Route
from keyturn.usage import LIMITED, REFUSED, SUCCESS, UsageReporter


class Limits(Protocol):
    """Where limits are counted: `keyturn.limits.local` and its neighbours."""

    def take(self, principal: Principal, route_class: str, cost: int) -> tuple[Usage, ...]:
        """Use so much of every limit that holds, or of none. Raises RateLimited."""


class Admission(NamedTuple):
    """Who passed, and how its limits stand."""

    principal: Principal
    usages: tuple[Usage, ...] = ()


class Guard:
    """A verifier, and what else stands at the door of an API. Thread-safe; make one per process.

    >>> from keyturn import Guard, Route, Verifier, all_of
    >>> from keyturn.limits.local import LocalLimits
    >>> verifier = Verifier("https://auth.example.com", audience="https://api.example.com")
    >>> guard = Guard(verifier, limits=LocalLimits("100/minute"))
    >>> guard.admit(None, Route(all_of("bookings:read"), route_class="booking"))
    Traceback (most recent call last):
    keyturn.errors.CredentialMissing: Authorization header is missing
    """

    def __init__(
        self,
        verifier: Verifier,
        *,
        limits: Limits | None = None,
        usage: UsageReporter | None = None,
    ) -> None:
        self.verifier = verifier
        self._limits = limits
        self._usage = usage

    def admit(
        self,
        authorization: str | None,
        route: Route = AUTHENTICATED,
        *,
        ip: str | IPAddress | None = None,
        origin: str | None = None,
        url: str = "",
        is_secure: bool | None = None,
        organization: str | None = None,
        mode: str | None = None,
    ) -> Admission:
        """Who passes here. Raises CredentialRefused, whose `usages` say how the limits stand.

        The parameters are those of `Verifier.verify`. What is refused before it is known whose it
        is, or may not be used from here, uses nothing of any limit: a key in wrong hands cannot use
        up its owner's. Raises ValueError for a public route, where there is nobody to admit.
        """
        if route.needs is None:
            raise ValueError("a public route admits everybody")
        principal = self.verifier.verify(
            authorization,
            ip=ip,
            origin=origin,
            url=url,
            is_secure=is_secure,
            organization=organization,
            mode=mode,
        )
        usages: tuple[Usage, ...] = ()
        outcome = LIMITED
        try:
            if self._limits is not None:
                usages = self._limits.take(principal, route.route_class, route.cost)
            outcome = REFUSED
            route.needs.require_of(principal)
            outcome = SUCCESS
        except InsufficientScope as refused:
            refused.usages = usages
            raise
        finally:
            if self._usage is not None:
                self._usage.note(
                    principal.client_id,
                    outcome,
                    route_class=route.route_class,
                    scope=route.needs.asked_of(principal.scopes),
                    ip=ip,
                )
        return Admission(principal, usages)
