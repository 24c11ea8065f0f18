"""Guard: who may pass. A request is verified, counted, and asked for its scopes, in this order.

Free of any framework: an adapter says what it knows of a request, and renders what comes out.
"""

from __future__ import annotations

import asyncio
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


class Stay:
    """Somebody who was let in, until there is an answer. Reported once, with all that was asked.

    Made by `Guard.enter`, for adapters; `guard` is the one that let them in.
    """

    __slots__ = ("_asked", "_ip", "_route_class", "_usage", "guard", "principal", "usages")

    def __init__(self, guard: _Door, principal: Principal, route: Route, seen: Seen) -> None:
        self.guard, self.principal = guard, principal
        self.usages: tuple[Usage, ...] = ()
        self._usage = guard._usage
        self._asked: tuple[Requirement, ...] = (_needs(route),)
        self._route_class, self._ip = route.route_class, seen.get("ip")

    def require(self, needs: Requirement) -> None:
        """Whatever else is asked, beyond what it was let in for. Raises InsufficientScope."""
        needs.require_of(self.principal)
        if self._usage is not None:
            self._asked += (needs,)

    def leave(self, refused: BaseException | None = None) -> None:
        """There is an answer, `refused` if it says so: counted once, however often this is said."""
        if isinstance(refused, CredentialRefused) and refused.credential_id is None:
            refused.credential_id = self.principal.client_id
        usage, self._usage = self._usage, None
        if usage is not None:
            usage.note(
                self.principal.client_id,
                _outcome(refused),
                route_class=self._route_class,
                scope=self._scope(refused),
                ip=self._ip,
            )

    def turn_away(self, error: BaseException) -> None:
        """It does not even get in."""
        if isinstance(error, InsufficientScope):
            error.usages = self.usages
        self.leave(error)

    def _scope(self, refused: BaseException | None) -> str:
        names = [needs.asked_of(self.principal.scopes) for needs in self._asked]
        if isinstance(refused, InsufficientScope):
            names.append(refused.scope)
        return names[0] if len(names) == 1 else " ".join(sorted({*" ".join(names).split()}))


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
        reason = None if refused is None else str(refused.reason)
        told = ServedRequest(**request, outcome=_outcome(refused), reason=reason)
        self._usage.served(credential_id, told)


_LIMITS = (Reason.RATE_LIMITED, Reason.QUOTA_EXCEEDED)


def _outcome(refused: BaseException | None) -> str:
    if refused is None:
        return SUCCESS
    is_limit = isinstance(refused, CredentialRefused) and refused.reason in _LIMITS
    return LIMITED if is_limit else REFUSED


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
        stay = self.enter(authorization, route, **seen)
        stay.leave()
        return Admission(stay.principal, stay.usages)

    def enter(
        self, authorization: str | None, route: Route = AUTHENTICATED, **seen: Unpack[Seen]
    ) -> Stay:
        """As `admit`, where more may be asked before there is an answer: counted by `Stay.leave`.

        A refusal is counted at once.
        """
        needs = _needs(route)
        stay = Stay(self, self.verifier.verify(authorization, **seen), route, seen)
        try:
            if self._limits is not None:
                stay.usages = self._limits.take(stay.principal, route.route_class, route.cost)
            needs.require_of(stay.principal)
        except BaseException as error:
            stay.turn_away(error)
            raise
        return stay

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
        stay = await self.enter(authorization, route, **seen)
        stay.leave()
        return Admission(stay.principal, stay.usages)

    async def enter(
        self, authorization: str | None, route: Route = AUTHENTICATED, **seen: Unpack[Seen]
    ) -> Stay:
        """As `Guard.enter`."""
        needs = _needs(route)
        stay = Stay(self, await self.verifier.verify(authorization, **seen), route, seen)
        try:
            if self._limits is not None:
                take = self._limits.take_async
                stay.usages = await take(stay.principal, route.route_class, route.cost)
            needs.require_of(stay.principal)
        except BaseException as error:
            stay.turn_away(error)
            raise
        return stay

    async def close(self) -> None:
        """Report the usage that is not reported yet, and close the verifier."""
        if self._usage is not None:
            await asyncio.to_thread(self._usage.close)
        await self.verifier.close()


def _needs(route: Route) -> Requirement:
    if route.needs is None:
        raise ValueError("a public route admits everybody")
    return route.needs
