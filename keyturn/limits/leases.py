"""Limits counted by the issuer for all verifiers together, a lease of permits at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from keyturn import wire
from keyturn.async_bearer import AsyncVerifier
from keyturn.bearer import Verifier
from keyturn.errors import CredentialRefused, VerifierUnavailable
from keyturn.forks import survives_forks
from keyturn.limits.local import Counters
from keyturn.limits.purse import Purse
from keyturn.limits.values import RateLimits, Usage
from keyturn.principal import Principal
from keyturn.talks import NOTHING, Learnt, Pending, Question, Talk

log = logging.getLogger("keyturn")

PATH = "/v1/leases"
MAX_PURSES = 10_000
PAUSE = 5.0
"""Seconds until the issuer is asked again after it failed."""


class LeasedLimits:
    """One budget for a credential, however many verifiers, workers and machines count it.

    Each verifier draws some permits in advance and spends them by itself: the issuer is asked once
    in many requests, and seldom about those who come seldom. Limits are the issuer's own, for
    tokens as for keys; a token that was obtained with a key uses up the key's.

    At no time do more pass than the limit says, but within a second of a window's end; fewer by at
    most what other verifiers hold unspent, which is one lease each. Permits end with their window.

    While the issuer is away, permits are spent, then each verifier counts for itself by the limits
    it knows, and says so in the log; or, if `is_strict`, refuses with 503.

    >>> verifier = Verifier("https://auth.example.com", "https://api.example.com", "client", "…")
    >>> limits = LeasedLimits(verifier, lease=100)
    """

    def __init__(
        self,
        verifier: Verifier | AsyncVerifier,
        *default: str,
        lease: int = 1000,
        max_staleness: timedelta = timedelta(seconds=30),
        is_strict: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`verifier`: with client_id and client_secret. `default`: what holds while the issuer is
        away for whom nothing is known. `lease`: permits held at most. `max_staleness`: until when a
        changed plan holds for those who are unlimited, or beyond their limit."""
        if verifier.issuer_api is None:
            raise ValueError("verifier: has no client_id to draw leases with")
        if lease < 1:
            raise ValueError("lease: 1 at least")
        self._issuer = verifier.issuer_api
        self._default = RateLimits.parse(*default)
        self._lease = lease
        self._max_staleness = max_staleness.total_seconds()
        self._is_strict = is_strict
        self._monotonic = monotonic
        self._alone = Counters(now)
        self._away_until = float("-inf")
        self.forked()
        survives_forks(self)

    def forked(self) -> None:
        self._lock = threading.Lock()
        # A fork would have copied permits, which are good once.
        self._held: OrderedDict[tuple[str, str], Purse] = OrderedDict()

    def take(self, principal: Principal, route_class: str = "", cost: int = 1) -> tuple[Usage, ...]:
        """Use so much of every limit that holds, or of none. Raises RateLimited, and
        VerifierUnavailable where it is strict and the issuer is away."""
        visit = _Visit(principal, route_class, cost)
        try:
            return self._taken(NOTHING, visit)
        except Pending as pending:
            return self._issuer.fetch.after(pending, self._taken, visit)

    async def take_async(
        self, principal: Principal, route_class: str = "", cost: int = 1
    ) -> tuple[Usage, ...]:
        """The same for tasks, by an AsyncVerifier."""
        visit = _Visit(principal, route_class, cost)
        try:
            return self._taken(NOTHING, visit)
        except Pending as pending:
            if self._issuer.async_fetch is None:
                raise RuntimeError("leases for tasks are drawn by an AsyncVerifier") from None
            return await self._issuer.async_fetch.after(pending, self._taken, visit)

    def _taken(self, _: Learnt, visit: _Visit) -> tuple[Usage, ...]:
        if visit.refused is not None:
            raise visit.refused
        if visit.usages is not None:
            return visit.usages
        with self._lock:
            purse, now = self._purse(visit.place), self._monotonic()
            if not purse.must_draw(visit.cost, now):
                return purse.spend(visit.cost, now, visit.principal.client_id)
        # One asks, the others wait, and then look what is left for them.
        raise Pending(Question((self, visit.place), partial(self._serve, visit)))

    def _purse(self, place: tuple[str, str]) -> Purse:
        purse = self._held.get(place)
        if purse is None:
            purse = self._held[place] = Purse(self._lease, self._max_staleness)
            if len(self._held) > MAX_PURSES:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(place)
        return purse

    def _serve(self, visit: _Visit) -> Talk[None]:
        """Draw and spend for one visit. What comes of it is that one's alone."""
        try:
            visit.usages = yield from self._drawn(visit)
        except CredentialRefused as refused:
            visit.refused = refused

    def _drawn(self, visit: _Visit) -> Talk[tuple[Usage, ...]]:
        with self._lock:
            purse, now = self._purse(visit.place), self._monotonic()
            asks = purse.request(visit.cost, now) if purse.must_draw(visit.cost, now) else None
        if asks is not None:
            try:
                yield from self._draw(purse, visit, asks, now)
            except VerifierUnavailable:
                if self._is_strict:
                    raise
                return self._count_alone(purse, visit)
        # What was drawn at this moment is spent at it, however long the answer took.
        with self._lock:
            return purse.spend(visit.cost, now, visit.principal.client_id)

    def _draw(self, purse: Purse, visit: _Visit, asks: dict[str, Any], now: float) -> Talk[None]:
        if now < self._away_until:
            raise VerifierUnavailable(detail="leases: the issuer is away")
        id, route_class = visit.place
        try:
            body = {"credential_id": id, "route_class": route_class, **asks}
            status, answer = yield from self._issuer.posting(PATH, body)
            if status == 404:
                # Nothing limits what the issuer does not know, or does not show to this API.
                log.warning("no limits are known of %a: the issuer does not know it", id)
                answer = {"limits": []}
            elif status != 200:
                raise VerifierUnavailable(detail=f"leases: status {status}")
            with self._lock:
                purse.fill(answer, now)
        except wire.Unreadable as error:
            raise self._away(f"leases: {error.detail}", PAUSE) from None
        except VerifierUnavailable as error:
            raise self._away(error.detail, error.retry_after or PAUSE) from None

    def _away(self, detail: str, pause: float) -> VerifierUnavailable:
        self._away_until = self._monotonic() + pause
        log.error("limits are not counted together for %g s: %s", pause, detail)
        return VerifierUnavailable(detail=detail, retry_after=int(pause))

    def _count_alone(self, purse: Purse, visit: _Visit) -> tuple[Usage, ...]:
        told = visit.principal.rate_limits
        id, route_class = visit.place
        known = (told if told.entries else self._default).holding(route_class)[1]
        limits = purse.limits or known
        return self._alone.take(f"{id}:{route_class}", limits, visit.cost) if limits else ()


class _Visit:
    """What one request uses, and what has come of it."""

    def __init__(self, principal: Principal, route_class: str, cost: int) -> None:
        self.principal, self.cost = principal, cost
        self.place = (principal.client_id, route_class)
        self.usages: tuple[Usage, ...] | None = None
        self.refused: CredentialRefused | None = None
