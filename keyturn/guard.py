"""Guard: who may pass. A request is verified, counted, and asked for its scopes, in this order.

Free of any framework: an adapter says what it knows of a request, and renders what comes out.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import NamedTuple, Protocol, Required, TypedDict, Unpack

from keyturn.async_bearer import AsyncVerifier
from keyturn.bearer import Verifier
from keyturn.errors import CredentialRefused, InsufficientScope, Reason
from keyturn.limits.values import Usage
from keyturn.principal import Principal
from keyturn.requirements import Requirement
from keyturn.restrictions import IPAddress
from keyturn.routes import AUTHENTICATED, Route
from keyturn.usage import LIMITED, REFUSED, SUCCESS, ServedRequest, UsageReporter


class Limits(Protocol):
    """Where limits are counted: `keyturn.limits.local` and its neighbours."""

    def take(self, principal: Principal, route_class: str, cost: int) -> tuple[Usage, ...]:
        """Use so much of every limit that holds, or of none. Raises RateLimited."""


class AsyncLimits(Protocol):
    """The same for tasks; the same classes have both."""

    async def take_async(
        self, principal: Principal, route_class: str, cost: int
    ) -> tuple[Usage, ...]:
        """Use so much of every limit that holds, or of none. Raises RateLimited."""


class Seen(TypedDict, total=False):
    """What is known of a request, but for its Authorization header; see `Verifier.verify`."""

    ip: str | IPAddress | None
    origin: str | None
    url: str
    is_secure: bool | None
    organization: str | None
    mode: str | None


class Served(TypedDict, total=False):
    """What is known of an answered request; see `keyturn.usage.ServedRequest`."""

    method: Required[str]
    route: Required[str]
    status: Required[int]
    seconds: float | None
    ip: str | IPAddress | None
    user_agent: str | None
    request_id: str | None


class Admission(NamedTuple):
    """Who passed, and how its limits stand."""

    principal: Principal
    usages: tuple[Usage, ...] = ()


class _Visit:
    """A request whose credential is good: reported, whatever else comes of it."""

    def __init__(
        self, usage: UsageReporter | None, principal: Principal, route: Route, seen: Seen
    ) -> None:
        self.usages: tuple[Usage, ...] = ()
        self._usage, self._principal, self._route, self._seen = usage, principal, route, seen
        self._outcome = LIMITED

    def pass_with(self, needs: Requirement) -> Admission:
        """Within its limits: now its scopes. Raises InsufficientScope."""
        self._outcome = REFUSED
        try:
            needs.require_of(self._principal)
        except InsufficientScope as refused:
            refused.usages = self.usages
            raise
        self._outcome = SUCCESS
        return Admission(self._principal, self.usages)

    def __enter__(self) -> _Visit:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, CredentialRefused):
            error.credential_id = self._principal.client_id
        if self._usage is not None and self._route.needs is not None:
            self._usage.note(
                self._principal.client_id,
                self._outcome,
                route_class=self._route.route_class,
                scope=self._route.needs.asked_of(self._principal.scopes),
                ip=self._seen.get("ip"),
            )


class _Door:
    """What both guards share."""

    _usage: UsageReporter | None

    @property
    def wants_served(self) -> bool:
        """Whether anybody wants to know of single requests."""
        return self._usage is not None and self._usage.wants_requests

    def served(self, by: Principal | CredentialRefused, **request: Unpack[Served]) -> None:
        """A request was answered: for the usage log, where the reporter keeps single requests.

        `by`: who was admitted, or the refusal; one of whom nobody knows whose the credential is, is
        nobody's request.
        """
        refused = by if isinstance(by, CredentialRefused) else None
        credential_id = by.client_id if isinstance(by, Principal) else by.credential_id
        if self._usage is None or credential_id is None:
            return
        outcome, reason = SUCCESS, None
        if refused is not None:
            reason = str(refused.reason)
            outcome = LIMITED if refused.reason in _LIMITS else REFUSED
        self._usage.served(credential_id, ServedRequest(**request, outcome=outcome, reason=reason))


_LIMITS = (Reason.RATE_LIMITED, Reason.QUOTA_EXCEEDED)


class Guard(_Door):
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
        self, authorization: str | None, route: Route = AUTHENTICATED, **seen: Unpack[Seen]
    ) -> Admission:
        """Who passes here. Raises CredentialRefused, whose `usages` say how the limits stand.

        What is refused before it is known whose it is, or may not be used from here, uses nothing
        of any limit: a key in wrong hands cannot use up its owner's. Raises ValueError for a public
        route, where there is nobody to admit.
        """
        needs = _needs(route)
        principal = self.verifier.verify(authorization, **seen)
        with _Visit(self._usage, principal, route, seen) as visit:
            if self._limits is not None:
                visit.usages = self._limits.take(principal, route.route_class, route.cost)
            return visit.pass_with(needs)

    def close(self) -> None:
        """Report the usage that is not reported yet, and close the verifier."""
        if self._usage is not None:
            self._usage.close()
        self.verifier.close()


class AsyncGuard(_Door):
    """The same for asyncio; make one per process.

    >>> import asyncio
    >>> from keyturn import AsyncGuard, AsyncVerifier, Route, all_of
    >>> from keyturn.limits.local import LocalLimits
    >>> verifier = AsyncVerifier("https://auth.example.com", audience="https://api.example.com")
    >>> guard = AsyncGuard(verifier, limits=LocalLimits("100/minute"))
    >>> asyncio.run(guard.admit(None, Route(all_of("bookings:read"), route_class="booking")))
    Traceback (most recent call last):
    keyturn.errors.CredentialMissing: Authorization header is missing
    """

    def __init__(
        self,
        verifier: AsyncVerifier,
        *,
        limits: AsyncLimits | None = None,
        usage: UsageReporter | None = None,
    ) -> None:
        self.verifier = verifier
        self._limits = limits
        self._usage = usage

    async def admit(
        self, authorization: str | None, route: Route = AUTHENTICATED, **seen: Unpack[Seen]
    ) -> Admission:
        """Who passes here, as `Guard.admit`. Raises CredentialRefused, and ValueError."""
        needs = _needs(route)
        principal = await self.verifier.verify(authorization, **seen)
        with _Visit(self._usage, principal, route, seen) as visit:
            if self._limits is not None:
                take = self._limits.take_async
                visit.usages = await take(principal, route.route_class, route.cost)
            return visit.pass_with(needs)

    async def close(self) -> None:
        """Report the usage that is not reported yet, and close the verifier."""
        if self._usage is not None:
            await asyncio.to_thread(self._usage.close)
        await self.verifier.close()


def _needs(route: Route) -> Requirement:
    if route.needs is None:
        raise ValueError("a public route admits everybody")
    return route.needs
