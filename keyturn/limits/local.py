"""Limits counted in this process, and by each process for itself."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from keyturn.errors import RateLimited
from keyturn.forks import survives_forks
from keyturn.limits.values import Limit, RateLimits, Usage
from keyturn.principal import Principal

MAX_COUNTERS = 100_000


class Counters:
    """How often in each window, by name; a bounded table, the least recently used goes first."""

    def __init__(self, now: Callable[[], float] = time.time, size: int = MAX_COUNTERS) -> None:
        self._now = now
        self._size = size
        self._used: OrderedDict[tuple[str, int], tuple[int, int]] = OrderedDict()
        self.forked()
        survives_forks(self)

    def forked(self) -> None:
        self._lock = threading.Lock()

    def take(self, name: str, limits: Sequence[Limit], cost: int = 1) -> tuple[Usage, ...]:
        """Use so much of every limit, or of none. Raises RateLimited."""
        now = int(self._now())
        with self._lock:
            stand = [self._standing(name, limit, now) for limit in limits]
            refuse_beyond(stand, cost, name)
            taken = []
            for usage in stand:
                place, used = (name, usage.limit.seconds), usage.used + cost
                self._used[place] = (now + usage.resets_in, used)
                self._used.move_to_end(place)
                taken.append(Usage(usage.limit, used, usage.resets_in))
            while len(self._used) > self._size:
                self._used.popitem(last=False)
        return tuple(taken)

    def _standing(self, name: str, limit: Limit, now: int) -> Usage:
        ends = now - now % limit.seconds + limit.seconds
        kept_until, used = self._used.get((name, limit.seconds), (0, 0))
        return Usage(limit, used if kept_until == ends else 0, ends - now)


class LocalLimits:
    """The limits that the issuer names for a credential, else a default, counted in this process.

    The issuer names an API key's when it is asked about it. It says nothing about a token that is
    verified offline: for those, `default` is what holds here.

    >>> limits = LocalLimits("100/minute", "2/day:report")
    >>> who = Principal("client", "c1", "c1")
    >>> [usage.remaining for usage in limits.take(who, "report")]
    [1]
    """

    def __init__(self, *default: str, now: Callable[[], float] = time.time) -> None:
        """`default`: `100/minute`, or `30/minute:booking` for one class of routes."""
        self._default = RateLimits.parse(*default)
        self._counters = Counters(now)

    def take(self, principal: Principal, route_class: str = "", cost: int = 1) -> tuple[Usage, ...]:
        """Use so much of every limit that holds, or of none. Raises RateLimited."""
        holding = principal.rate_limits if principal.rate_limits.entries else self._default
        counted_class, limits = holding.holding(route_class)
        if not limits:
            return ()
        return self._counters.take(counted_as(principal, counted_class), limits, cost)

    async def take_async(
        self, principal: Principal, route_class: str = "", cost: int = 1
    ) -> tuple[Usage, ...]:
        """The same for tasks; it does not wait."""
        return self.take(principal, route_class, cost)


def counted_as(principal: Principal, route_class: str | None) -> str:
    """What a credential is counted by: a key, and every token obtained with it, by the key's id.

    As usage is, and leases are: by `client_id`. A subject may be one of many of a client's, and is
    nobody of whom the issuer knows limits. A service credential is itself wherever it acts.
    """
    return f"{principal.client_id}:{route_class or ''}"


def refuse_beyond(stand: Sequence[Usage], cost: int, name: str) -> None:
    """Raises RateLimited where a limit has no room left for so much."""
    lacking = [usage for usage in stand if usage.remaining < cost]
    if lacking:
        # Until the last of them ends: before that it would be refused again.
        wait = max(usage.resets_in for usage in lacking)
        which = ", ".join(str(usage.limit) for usage in lacking)
        raise RateLimited(tuple(stand), wait, detail=f"{name!a} beyond {which}")
