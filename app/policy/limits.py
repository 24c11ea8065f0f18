"""Limits: how often in a window, and what is left of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app.errors import RateLimited
from app.ports import Counter
from app.records import Limit


@dataclass(frozen=True, slots=True)
class Usage:
    """A limit, and how much of it is used."""

    limit: Limit
    used: int
    resets_in: int
    """Seconds."""

    @property
    def remaining(self) -> int:
        return max(0, self.limit.amount - self.used)


class Limiter:
    """Counts a request against a limit, once. Every method may raise Unavailable."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.within = 0
        self.exceeded = 0

    def require(self, limit: Limit, name: str) -> None:
        """Count nothing yet. Raises RateLimited when the limit is used up."""
        counted = self._counter.hit(name, limit.seconds, cost=0)
        if counted.used >= limit.amount:
            self.exceeded += 1
            raise RateLimited(max(1, counted.ends_at - int(time.time())))

    def note(self, limit: Limit, name: str) -> None:
        """Count one more that has happened, and refuse nothing."""
        self._counter.hit(name, limit.seconds)
        self.within += 1

    def count(self, limit: Limit, name: str) -> Usage:
        """One more of this name. Raises RateLimited when the limit was used up before."""
        counted = self._counter.hit(name, limit.seconds)
        usage = Usage(limit, counted.used, max(1, counted.ends_at - int(time.time())))
        if counted.used > limit.amount:
            self.exceeded += 1
            raise RateLimited(usage.resets_in, usage)
        self.within += 1
        return usage


class Failures:
    """Failed authentications of an address, wherever it failed; what is proven from memory passes.

    By address, never by the name that was claimed: a stranger must not lock anybody out in it.
    Every method may raise Unavailable.
    """

    def __init__(self, limiter: Limiter, limit: Limit) -> None:
        self._limiter = limiter
        self._limit = limit

    def require_few(self, ip: str | None) -> None:
        """Before the database is read for somebody. Raises RateLimited."""
        self._limiter.require(self._limit, _name(ip))

    def note(self, ip: str | None) -> None:
        """One more."""
        self._limiter.note(self._limit, _name(ip))


def _name(ip: str | None) -> str:
    return f"failed:{ip}"
