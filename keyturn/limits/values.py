"""Limits as values: so many in a window, by class of routes, and how they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keyturn import wire

WINDOWS: Mapping[str, int] = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "month": 30 * 86400,
}
"""Seconds. Every window begins at a whole multiple of its length since the epoch."""
MAX_AMOUNT = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in each window.

    >>> Limit.parse("100/minute").seconds
    60
    """

    amount: int
    window: str

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read `100/minute`. Raises ValueError."""
        amount, separator, window = text.partition("/")
        if not separator or window not in WINDOWS or not (amount.isascii() and amount.isdigit()):
            raise ValueError(f"must look like 100/minute, with one of {', '.join(WINDOWS)}")
        if not 1 <= int(amount) <= MAX_AMOUNT:
            raise ValueError(f"the amount must lie between 1 and {MAX_AMOUNT}")
        return cls(int(amount), window)

    @property
    def seconds(self) -> int:
        return WINDOWS[self.window]

    def __str__(self) -> str:
        return f"{self.amount}/{self.window}"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Limits by class of routes; those of no class are for every class that has none of its own.

    >>> limits = RateLimits.parse("100/minute", "30/minute:booking", "100/day:booking")
    >>> [str(limit) for limit in limits.of_class("booking")]
    ['30/minute', '100/day']
    >>> limits.holding("widget")
    (None, (Limit(amount=100, window='minute'),))
    """

    entries: tuple[tuple[str | None, Limit], ...] = ()
    _by_class: dict[str | None, tuple[Limit, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        # Sorted here, because it is asked with every request.
        for route_class in dict.fromkeys(name for name, _ in self.entries):
            own = (limit for name, limit in self.entries if name == route_class)
            self._by_class[route_class] = tuple(sorted(own, key=lambda limit: limit.seconds))

    @classmethod
    def parse(cls, *texts: str) -> RateLimits:
        """Read `100/minute` or, for one class of routes, `30/minute:booking`. Raises ValueError."""
        parts = [text.partition(":") for text in texts]
        return cls(tuple((name or None, Limit.parse(limit)) for limit, _, name in parts))

    @classmethod
    def of(cls, kept: Iterable[Mapping[str, Any]]) -> RateLimits:
        """From how they are kept: `limit`, `window` and `class`."""
        return cls(tuple((one["class"], Limit(one["limit"], one["window"])) for one in kept))

    @classmethod
    def read(cls, told: object) -> RateLimits:
        """The same from an issuer's answer. Raises Unreadable."""
        try:
            if type(told) is not list:
                raise TypeError
            return cls(tuple((one["class"], _limit(one)) for one in told))
        except (TypeError, KeyError, ValueError):
            raise wire.Unreadable(detail="rate_limits cannot be read") from None

    @property
    def classes(self) -> frozenset[str | None]:
        """Every class that has limits of its own."""
        return frozenset(self._by_class)

    def of_class(self, route_class: str | None) -> tuple[Limit, ...]:
        """Those of this very class, the shortest window first."""
        return self._by_class.get(route_class, ())

    def holding(self, route_class: str) -> tuple[str | None, tuple[Limit, ...]]:
        """The class that a request of this one is counted in, and the limits that hold there."""
        own = self._by_class.get(route_class)
        return (route_class, own) if own is not None else (None, self._by_class.get(None, ()))

    def kept(self) -> list[dict[str, Any]]:
        """What `of` and `read` take."""
        return [
            {"limit": limit.amount, "window": limit.window, "class": name}
            for name, limit in self.entries
        ]


UNLIMITED = RateLimits()


def _limit(one: Mapping[str, Any]) -> Limit:
    if type(one["limit"]) is not int or type(one["class"]) not in (str, type(None)):
        raise ValueError
    return Limit.parse(f"{one['limit']}/{one['window']}")


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


def nearest(usages: Sequence[Usage]) -> Usage:
    """The limit that is nearest to its end; of several, the one that lasts longest."""
    return min(usages, key=lambda usage: (usage.remaining, -usage.resets_in))
