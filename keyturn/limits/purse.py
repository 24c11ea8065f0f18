"""A purse: the permits that one verifier holds of one credential. No I/O, no clock of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keyturn import wire
from keyturn.errors import RateLimited
from keyturn.limits.values import Limit, Usage

QUICK, SLOW = 1.0, 4.0
"""Seconds: permits that last less long are drawn in twice the number next time, those that last
longer in half of it."""


@dataclass(slots=True)
class _Window:
    limit: Limit
    permits: int
    """In our hands."""
    undrawn: int
    """In nobody's, when it was asked."""
    ends_at: float

    def usage(self, now: float) -> Usage:
        left = self.permits + self.undrawn
        resets_in = max(1, math.ceil(self.ends_at - now))
        return Usage(self.limit, max(0, self.limit.amount - left), resets_in)


@dataclass(slots=True)
class Purse:
    """Permits of every window that holds for a credential in a class of routes."""

    most: int
    """Permits that are held at most."""
    max_staleness: float
    """Seconds for which an answer without room, or without limits, is taken as it was."""
    _windows: list[_Window] = field(default_factory=list)
    _asked_at: float = float("-inf")
    _wanted: int = 1

    @property
    def limits(self) -> list[Limit]:
        """What held when it was last asked."""
        return [window.limit for window in self._windows]

    def must_draw(self, cost: int, now: float) -> bool:
        """Whether the issuer has to be asked before so much can be spent or refused."""
        if not self._windows or self._hopeless(cost, now):
            return now >= self._asked_at + self.max_staleness
        return bool(self._lacking(cost, now))

    def request(self, cost: int, now: float) -> dict[str, Any]:
        """What to ask for: more the quicker it was spent, so that those who hardly ask hold
        hardly anything."""
        lasted = now - self._asked_at
        if lasted < QUICK:
            self._wanted = min(self._wanted * 2, self.most)
        elif lasted > SLOW:
            self._wanted = max(self._wanted // 2, 1)
        held = [
            {"window": window.limit.window, "permits": window.permits}
            for window in self._windows
            if now < window.ends_at
        ]
        return {"permits": max(self._wanted, cost), "needed": cost, "held": held}

    def fill(self, answer: Mapping[str, Any], asked_at: float) -> None:
        """Take what was given. Raises Unreadable."""
        limits = answer.get("limits")
        if type(limits) is not list:
            raise wire.Unreadable(detail="limits is not a list")
        held = {one.limit.window: one for one in self._windows if asked_at < one.ends_at}
        filled = []
        for one in limits:
            try:
                limit = Limit.parse(f"{one['limit']}/{one['window']}")
                granted, undrawn, resets_in = (
                    int(one[name]) for name in ("granted", "remaining", "resets_in")
                )
            except (TypeError, KeyError, ValueError):
                raise wire.Unreadable(detail="limits cannot be read") from None
            window = _Window(limit, granted, undrawn, asked_at + resets_in)
            before = held.get(limit.window)
            # Both clocks are a little off. A window that ends a whole one later is the next one.
            if before is not None and window.ends_at < before.ends_at + limit.seconds / 2:
                window.permits += before.permits
            filled.append(window)
        self._windows, self._asked_at = filled, asked_at

    def spend(self, cost: int, now: float, name: str) -> tuple[Usage, ...]:
        """Use so much of every window, or of none. Raises RateLimited."""
        lacking = self._lacking(cost, now)
        if not lacking:
            for window in self._windows:
                window.permits -= cost
        usages = tuple(window.usage(now) for window in self._windows)
        if lacking:
            # Where nothing is hopeless somebody was quicker, and the next answer may be another.
            waits = [window.usage(now).resets_in for window in self._hopeless(cost, now)]
            which = ", ".join(str(window.limit) for window in lacking)
            raise RateLimited(usages, max(waits, default=1), detail=f"{name!a} beyond {which}")
        return usages

    def _hopeless(self, cost: int, now: float) -> list[_Window]:
        """Those in which nothing comes back before they end, but for a change of plan."""
        return [
            window
            for window in self._windows
            if window.permits + window.undrawn < cost and now < window.ends_at
        ]

    def _lacking(self, cost: int, now: float) -> list[_Window]:
        return [one for one in self._windows if one.permits < cost or now >= one.ends_at]
