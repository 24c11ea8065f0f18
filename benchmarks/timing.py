"""Time calls in turn, round after round, so that all of them see the same noise.

CPU time: what other processes do on the same core meanwhile does not count.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing to time: ``call`` does it once."""

    name: str
    call: Call


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look."""

    rounds: int
    seconds: float
    """Of one measure in one round."""


@dataclass(frozen=True, slots=True)
class Timed:
    """CPU microseconds a call, of each round."""

    name: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def lowest(self) -> float:
        return min(self.rounds)

    def share_of(self, other: Timed) -> float:
        """The median of the rounds' ratios: noise longer than a round cancels out."""
        if len(self.rounds) != len(other.rounds):
            return self.median / other.median
        return median(mine / its for mine, its in zip(self.rounds, other.rounds, strict=True))


def timed(measures: Sequence[Measure], effort: Effort) -> list[Timed]:
    """Every measure in every round; every other round backwards."""
    counts = [_calls_in(one.call, effort.seconds) for one in measures]
    found: list[list[float]] = [[] for _ in measures]
    for number in range(effort.rounds):
        order = range(len(measures))
        for at in order if number % 2 == 0 else reversed(order):
            found[at].append(_microseconds(measures[at].call, counts[at]))
    return [Timed(one.name, tuple(each)) for one, each in zip(measures, found, strict=True)]


def in_turn(call: Callable[[Any], object], values: Iterable[Any]) -> Call:
    """``call`` with the next value each time, round and round."""
    following = itertools.cycle(values).__next__
    return lambda: call(following())


def _calls_in(call: Call, seconds: float) -> int:
    count, took = 1, _microseconds(call, 1)
    while count * took < seconds * 1e6 / 10:
        count *= 2
        took = _microseconds(call, count)
    return max(1, round(seconds * 1e6 / took))


def _microseconds(call: Call, count: int) -> float:
    begun = time.process_time_ns()
    for _ in itertools.repeat(None, count):
        call()
    return max(1, time.process_time_ns() - begun) / count / 1e3
