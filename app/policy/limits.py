"""Limits: how often in a window, and what is left of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from app.errors import RateLimited
from app.ports import Counter
from app.records import ApiKey, Organization
from keyturn.limits.values import Limit, RateLimits, Usage


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits that hold for somebody in a class of routes, and the name they are counted by."""

    name: str
    limits: tuple[Limit, ...] = ()
    """The shortest window first."""


def allowance(
    subject: str, route_class: str, organization: Organization, key: ApiKey | None = None
) -> Allowance:
    """What holds: the key's own limits, else its plan's, else the class's default (C-17).

    Of each, limits of the very class before those of no class, which are counted over all classes
    that have none of their own. ``subject`` is the key's id for the key and for every token that
    was obtained with it: they share what they have.
    """
    counted_class, limits = _holding(_levels(organization, key), route_class)
    return Allowance(f"use:{subject}:{counted_class or ''}", limits)


def all_limits(organization: Organization, key: ApiKey | None = None) -> RateLimits:
    """The same of every class, as one: what an API that counts by itself is told."""
    return _merged(_levels(organization, key))


def sourced(organization: Organization) -> tuple[tuple[int, str | None, Limit], ...]:
    """What holds for those without limits of their own, by class: which of the organization's
    ``rate_limits`` says it, for which class, and what."""
    levels = organization.rate_limits
    classes = frozenset((None,)).union(*(level.classes for level in levels))
    found = []
    for name in sorted(classes, key=lambda name: name or ""):
        for number in range(len(levels)):
            counted, limits = _holding(levels[number : number + 1], name)
            if limits:
                # What holds for a class because it holds for all is said once.
                found += [(number, name, limit) for limit in limits if counted == name]
                break
    return tuple(found)


def _levels(organization: Organization, key: ApiKey | None) -> tuple[RateLimits, ...]:
    own = (key.rate_limits,) if key is not None else ()
    return (*own, *organization.rate_limits)


def _holding(
    levels: Iterable[RateLimits], route_class: str | None
) -> tuple[str | None, tuple[Limit, ...]]:
    for level in levels:
        for counted_class in (route_class, None):
            limits = level.of_class(counted_class)
            if limits:
                return counted_class, limits
    return None, ()


@lru_cache(4096)
def _merged(levels: tuple[RateLimits, ...]) -> RateLimits:
    classes = frozenset((None,)).union(*(level.classes for level in levels))
    held = ((name, *_holding(levels, name)) for name in sorted(classes, key=str))
    # What holds for a class because it holds for all is said once.
    return RateLimits(
        tuple(
            (name, limit) for name, counted, limits in held if name == counted for limit in limits
        )
    )


SHARES = 4
"""Whoever draws permits gets at most one part in so many of what is left, or what it needs."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """How a limit stands, and how many permits were given of it."""

    usage: Usage
    granted: int


class Limiter:
    """Counts a request against limits, once. Every method may raise Unavailable."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.within = 0
        self.exceeded = 0

    def require(self, limit: Limit, name: str) -> None:
        """Count nothing yet. Raises RateLimited when the limit is used up."""
        usage = self._use(name, limit, 0)
        if usage.used >= limit.amount:
            self.exceeded += 1
            raise RateLimited(usage.resets_in)

    def note(self, limit: Limit, name: str) -> None:
        """Count one more that has happened, and refuse nothing."""
        self._counter.hit(name, limit.seconds)
        self.within += 1

    def count(self, limit: Limit, name: str) -> Usage:
        """One more of this name. Raises RateLimited when the limit was used up before."""
        usage = self._use(name, limit, 1)
        if usage.used > limit.amount:
            self.exceeded += 1
            raise RateLimited(usage.resets_in, (usage,))
        self.within += 1
        return usage

    def take(self, allowed: Allowance, cost: int = 1) -> tuple[Usage, ...]:
        """Use so much of every limit, or of none. Raises RateLimited, saying what is left of each.

        What was refused in a short window takes nothing from the longer ones: whoever knocks too
        often has still got the rest of the day.
        """
        taken: list[Usage] = []
        for number, limit in enumerate(allowed.limits):
            usage = self._use(allowed.name, limit, cost)
            taken.append(usage)
            if usage.used > limit.amount:
                if cost > 1:  # there may be room for less
                    self._give_back(allowed.name, allowed.limits[: number + 1], cost)
                self.exceeded += 1
                rest = self.left(Allowance(allowed.name, allowed.limits[number + 1 :]))
                raise RateLimited(usage.resets_in, (*taken, *rest))
        self.within += bool(taken)
        return tuple(taken)

    def give_back(self, allowed: Allowance) -> None:
        """Undo one that was taken, of every limit."""
        self._give_back(allowed.name, allowed.limits, 1)

    def left(self, allowed: Allowance) -> tuple[Usage, ...]:
        """How the limits stand; nothing is used by asking."""
        return tuple(self._use(allowed.name, limit, 0) for limit in allowed.limits)

    def draw(
        self, allowed: Allowance, wanted: int, needed: int, held: Mapping[str, int]
    ) -> tuple[Drawn, ...]:
        """Permits of every window for somebody who counts by itself, up to ``wanted`` in its hands.

        Of no window any, where one has not what is ``needed``. At most a part of what is left, so
        that several who draw run out together.
        """
        drawn: list[Drawn] = []
        before = self.left(allowed)
        lacking = [needed - held.get(usage.limit.window, 0) for usage in before]
        short = any(more > usage.remaining for more, usage in zip(lacking, before, strict=True))
        self.exceeded += short
        for usage, more in zip(before, lacking, strict=True):
            liked = wanted - held.get(usage.limit.window, 0)
            share = max(0, more, min(liked, usage.remaining // SHARES))
            if short or not share:
                drawn.append(Drawn(usage, 0))
                continue
            after = self._use(allowed.name, usage.limit, share)
            beyond = min(share, max(0, after.used - usage.limit.amount))
            if beyond:  # somebody else drew meanwhile
                self._give_back(allowed.name, (usage.limit,), beyond)
            drawn.append(Drawn(after, share - beyond))
        self.within += any(one.granted for one in drawn)
        return tuple(drawn)

    def _use(self, name: str, limit: Limit, cost: int) -> Usage:
        used, ends_at = self._counter.hit(name, limit.seconds, cost)
        return Usage(limit, used, max(1, ends_at - int(time.time())))

    def _give_back(self, name: str, limits: Iterable[Limit], cost: int) -> None:
        for limit in limits:
            self._counter.hit(name, limit.seconds, -cost)


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
