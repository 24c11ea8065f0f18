"""Limits counted by the issuer for all verifiers together, a lease of permits at a time."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from keyturn import wire
from keyturn.bearer import Verifier
from keyturn.errors import VerifierUnavailable
from keyturn.limits.local import Counters
from keyturn.limits.purse import Purse
from keyturn.limits.values import RateLimits, Usage
from keyturn.principal import Principal

log = logging.getLogger("keyturn")

PATH = "/v1/leases"
MAX_PURSES = 10_000
PAUSE = 5.0
"""Seconds until the issuer is asked again after it failed."""


class _Held:
    """A purse, and who may open it."""

    def __init__(self, purse: Purse) -> None:
        self.purse = purse
        self.lock = threading.Lock()


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
        verifier: Verifier,
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
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._held: OrderedDict[tuple[str, str], _Held] = OrderedDict()
        self._away_until = float("-inf")

    def take(self, principal: Principal, route_class: str = "", cost: int = 1) -> tuple[Usage, ...]:
        """Use so much of every limit that holds, or of none. Raises RateLimited, and
        VerifierUnavailable where it is strict and the issuer is away."""
        held = self._of(principal.id, route_class)
        with held.lock:
            purse, now = held.purse, self._monotonic()
            if purse.must_draw(cost, now):
                try:
                    self._draw(purse, principal.id, route_class, cost, now)
                except VerifierUnavailable:
                    if self._is_strict:
                        raise
                    return self._count_alone(purse, principal, route_class, cost)
            # What was drawn at this moment is spent at it, however long the answer took.
            return purse.spend(cost, now, principal.id)

    def _of(self, id: str, route_class: str) -> _Held:
        place = (id, route_class)
        with self._lock:
            if self._process != os.getpid():
                # A fork has copied permits, which are good once.
                self._held.clear()
                self._process = os.getpid()
            held = self._held.get(place)
            if held is None:
                held = self._held[place] = _Held(Purse(self._lease, self._max_staleness))
                if len(self._held) > MAX_PURSES:
                    self._held.popitem(last=False)
            else:
                self._held.move_to_end(place)
            return held

    def _draw(self, purse: Purse, id: str, route_class: str, cost: int, now: float) -> None:
        if now < self._away_until:
            raise VerifierUnavailable(detail="leases: the issuer is away")
        body = {"credential_id": id, "route_class": route_class, **purse.request(cost, now)}
        try:
            status, answer = self._issuer.post(PATH, body)
            if status == 404:
                # Nothing limits what the issuer does not know, or does not show to this API.
                log.warning("no limits are known of %a: the issuer does not know it", id)
                answer = {"limits": []}
            elif status != 200:
                raise VerifierUnavailable(detail=f"leases: status {status}")
            purse.fill(answer, now)
        except wire.Unreadable as error:
            raise self._away(f"leases: {error.detail}", PAUSE) from None
        except VerifierUnavailable as error:
            raise self._away(error.detail, error.retry_after or PAUSE) from None

    def _away(self, detail: str, pause: float) -> VerifierUnavailable:
        self._away_until = self._monotonic() + pause
        log.error("limits are not counted together for %g s: %s", pause, detail)
        return VerifierUnavailable(detail=detail, retry_after=int(pause))

    def _count_alone(
        self, purse: Purse, principal: Principal, route_class: str, cost: int
    ) -> tuple[Usage, ...]:
        told = principal.rate_limits if principal.rate_limits.entries else self._default
        limits = purse.limits or told.holding(route_class)[1]
        return self._alone.take(f"{principal.id}:{route_class}", limits, cost) if limits else ()
