"""Which limits hold, and what a request takes from them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from app.errors import RateLimited
from app.policy.limits import Allowance, Limiter, all_limits, allowance
from app.storage.counters.shared import SharedCounter
from app.storage.organizations import CLASS_LIMITS
from app.web.limits import refused_by_limit
from keyturn.limits.headers import limit_headers
from keyturn.limits.values import Limit, RateLimits

NOW = 1_800_000_000 - 1_800_000_000 % (30 * 86400)
"""The beginning of every window."""


def kept(*written):
    """``30/minute:booking`` as it is stored."""
    entries = []
    for text in written:
        limit, _, route_class = text.partition(":")
        parsed = Limit.parse(limit)
        entries.append(
            {"limit": parsed.amount, "window": parsed.window, "class": route_class or None}
        )
    return RateLimits.of(entries)


def owner(plan=(), defaults=()):
    return SimpleNamespace(rate_limits=(kept(*plan), kept(*defaults)))


def key(*written):
    return SimpleNamespace(rate_limits=kept(*written))


@pytest.mark.row("S2-59", "C-17", "S2-66")
@pytest.mark.parametrize(("own", "plan", "defaults", "holds", "counted"), [
    ((), (), (), [], ""),
    ((), (), ["9/minute:booking"], ["9/minute"], "booking"),
    ((), (), ["9/minute:widget"], [], ""),
    ((), (), ["9/minute"], ["9/minute"], ""),
    ((), ["8/minute"], ["9/minute:booking"], ["8/minute"], ""),
    ((), ["8/minute", "7/minute:booking"], ["9/minute:booking"], ["7/minute"], "booking"),
    ((), ["7/minute:widget"], ["9/minute:booking"], ["9/minute"], "booking"),
    (["6/minute"], ["7/minute:booking"], ["9/minute:booking"], ["6/minute"], ""),
    (["6/minute", "5/minute:booking"], ["7/minute:booking"], (), ["5/minute"], "booking"),
    (["5/minute:widget"], ["7/minute:booking"], (), ["7/minute"], "booking"),
    ((), ["100/day:booking", "30/minute:booking"], (), ["30/minute", "100/day"], "booking"),
    (["5/month", "1/second"], (), (), ["1/second", "5/month"], ""),
])  # fmt: skip
def test_the_most_specific_limits_hold(own, plan, defaults, holds, counted):
    found = allowance("key_1", "booking", owner(plan, defaults), key(*own))
    assert [str(limit) for limit in found.limits] == holds
    assert found.name == f"use:key_1:{counted}"
    # An API that counts by itself is told the same.
    told = all_limits(owner(plan, defaults), key(*own))
    assert told.holding("booking") == (counted or None, found.limits)
    if not own:  # a token obtained with the key shares what the key has
        assert allowance("key_1", "booking", owner(plan, defaults)) == found


class Time:
    def __init__(self, path):
        self.now = float(NOW)
        self.limiter = Limiter(SharedCounter(path, lambda: self.now))

    def outcomes(self, allowed, times, cost=1):
        """How many passed."""
        passed = 0
        for _ in range(times):
            try:
                self.limiter.take(allowed, cost)
                passed += 1
            except RateLimited as refused:
                self.refused = refused
        return passed


@pytest.fixture
def time(tmp_path):
    return Time(tmp_path / "counters")


@pytest.mark.row("S2-60", "S2-61", "S2-62", "C-23")
@pytest.mark.parametrize(("route_class", "minute", "day"), [
    ("widget", 100, 1440 * 100), ("booking", 30, 100), ("validation", 60, 1440 * 60)
])  # fmt: skip
def test_the_numbers_of_a_profile(time, route_class, minute, day):
    org = SimpleNamespace(
        rate_limits=(RateLimits(), RateLimits.of(CLASS_LIMITS["experiencelocal"]))
    )
    allowed = allowance("key_1", route_class, org)
    minutes = 6
    total = 0
    for _ in range(minutes):
        total += time.outcomes(allowed, minute + 5)
        time.now += 60
    assert total == min(minutes * minute, day)
    time.now = NOW + 86400
    assert time.outcomes(allowed, 1) == 1


@pytest.mark.row("S2-61")
def test_what_a_short_window_refuses_the_day_still_has(time):
    allowed = Allowance("x", (Limit(30, "minute"), Limit(100, "day")))
    assert time.outcomes(allowed, 1000) == 30
    left = {str(usage.limit): usage.remaining for usage in time.limiter.left(allowed)}
    assert left == {"30/minute": 0, "100/day": 70}


@pytest.mark.row("S2-4", "S1-19")
def test_everybody_is_counted_for_themselves(time):
    limits = (Limit(3, "minute"),)
    assert time.outcomes(Allowance("one", limits), 5) == 3
    assert time.outcomes(Allowance("other", limits), 5) == 3


def test_what_costs_more_takes_more_or_nothing(time):
    allowed = Allowance("x", (Limit(10, "minute"), Limit(12, "day")))
    assert time.outcomes(allowed, 1, cost=7) == 1
    assert time.outcomes(allowed, 3, cost=4) == 0
    assert time.outcomes(allowed, 1, cost=3) == 1
    time.now += 60
    assert time.outcomes(allowed, 1, cost=3) == 0
    assert [usage.used for usage in time.limiter.left(allowed)] == [0, 10]


def test_asking_uses_nothing(time):
    allowed = Allowance("x", (Limit(2, "minute"),))
    for _ in range(5):
        assert time.limiter.left(allowed)[0].remaining == 2
    assert time.limiter.take(Allowance("nobody")) == ()


@pytest.mark.row("S2-63", "S2-64", "C-18", "C-23", "S1-20")
def test_headers_name_every_window_and_the_nearest_end(time):
    allowed = Allowance("x", (Limit(3, "minute"), Limit(5, "day")))
    said = dict(limit_headers(time.limiter.take(allowed)))
    assert said["RateLimit-Policy"] == '"minute";q=3;w=60, "day";q=5;w=86400'
    assert said["RateLimit"].startswith('"minute";r=2;t=')
    assert '"day";r=4;t=' in said["RateLimit"]
    assert (said["X-RateLimit-Limit"], said["X-RateLimit-Remaining"]) == ("3", "2")
    time.outcomes(allowed, 3)
    time.now += 60
    assert time.outcomes(allowed, 3) == 2
    refused = dict(refused_by_limit(time.refused))
    assert (refused["X-RateLimit-Limit"], refused["X-RateLimit-Remaining"]) == ("5", "0")
    # Never earlier than the reset of what was violated: here the day's.
    assert f'"day";r=0;t={refused["Retry-After"]}' in refused["RateLimit"]
    assert limit_headers(()) == []
