"""Limits counted at the resource: what holds, what is left, and that N lets N pass."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from keyturn import Principal, RateLimited
from keyturn.limits.local import Counters, LocalLimits
from keyturn.limits.values import Limit, RateLimits
from keyturn.wire import Unreadable

BEGUN = 1_800_000_000 - 1_800_000_000 % (30 * 86400)
"""The beginning of every window."""


class Clock:
    def __init__(self):
        self.now = BEGUN

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def key(*limits, id="key_1"):
    return Principal("api_key", id, id, rate_limits=RateLimits.parse(*limits))


def passed(limits, principal, route_class="", times=1, cost=1):
    """How many passed, and the last refusal."""
    count, refusal = 0, None
    for _ in range(times):
        try:
            limits.take(principal, route_class, cost)
            count += 1
        except RateLimited as refused:
            refusal = refused
    return count, refusal


@pytest.mark.row("S2-59")
@pytest.mark.parametrize(
    ("own", "route_class", "holds"),
    [
        ([], "booking", ["7/day"]),
        ([], "report", ["1/day"]),
        (["9/day"], "report", ["9/day"]),
        (["9/day", "2/minute:report", "5/day:report"], "report", ["2/minute", "5/day"]),
        (["2/minute:report"], "booking", []),
    ],
)
def test_what_the_issuer_names_holds_before_the_default(clock, own, route_class, holds):
    limits = LocalLimits("7/day", "1/day:report", now=clock)
    usages = limits.take(key(*own), route_class)
    assert [str(usage.limit) for usage in usages] == holds
    assert [usage.used for usage in usages] == [1] * len(holds)


@pytest.mark.row("S2-60", "S2-61", "S2-62")
@pytest.mark.parametrize(
    ("route_class", "minute", "day"),
    [("widget", 100, 144_000), ("booking", 30, 100), ("validation", 60, 86_400)],
)
def test_the_numbers_of_a_profile(clock, route_class, minute, day):
    limits = LocalLimits(now=clock)
    who = key("100/minute:widget", "30/minute:booking", "100/day:booking", "60/minute:validation")
    total = 0
    for _ in range(6):
        total += passed(limits, who, route_class, minute + 5)[0]
        clock.now += 60
    assert total == min(6 * minute, day)
    clock.now = BEGUN + 86400
    assert passed(limits, who, route_class) == (1, None)


@pytest.mark.row("S2-64", "S2-70")
def test_a_refusal_takes_nothing_and_says_when_it_is_worth_trying(clock):
    limits, who = LocalLimits(now=clock), key("2/minute", "3/day")
    clock.now += 20
    count, refused = passed(limits, who, times=9)
    assert (count, refused.retry_after) == (2, 40)
    assert [(usage.used, usage.resets_in) for usage in refused.usages] == [(2, 40), (2, 86380)]
    clock.now += 40
    count, refused = passed(limits, who, times=9)
    assert (count, refused.retry_after) == (1, 86340)
    assert [usage.remaining for usage in refused.usages] == [1, 0]


def test_what_costs_more_takes_more_or_nothing(clock):
    limits, who = LocalLimits(now=clock), key("10/minute")
    assert passed(limits, who, cost=7, times=3)[0] == 1
    assert passed(limits, who, cost=3, times=3)[0] == 1


def test_a_clock_that_is_set_back_locks_nobody_out(clock):
    limits, who = LocalLimits(now=clock), key("1/minute")
    clock.now += 3600
    assert passed(limits, who, times=2)[0] == 1
    clock.now -= 3600
    assert passed(limits, who, times=2)[0] == 1


@pytest.mark.row("S1-19")
def test_n_lets_n_pass_however_many_threads(clock):
    limits, who = LocalLimits(now=clock), key("50/day")
    with ThreadPoolExecutor(8) as pool:
        counts = pool.map(lambda _: passed(limits, who, times=25)[0], range(8))
    assert sum(counts) == 50


def test_a_flood_of_names_takes_no_more_room_and_forgets_the_oldest(clock):
    counters, limit = Counters(clock, size=10), [Limit(1, "day")]
    counters.take("first", limit)
    for number in range(9):
        counters.take(f"name {number}", limit)
    with pytest.raises(RateLimited):
        counters.take("first", limit)
    counters.take("one more", limit)
    assert counters.take("first", limit)[0].used == 1


@pytest.mark.parametrize(
    "told",
    [
        {},
        "5/day",
        [None],
        [{}],
        [{"limit": 5, "window": "day"}],
        [{"limit": "5", "window": "day", "class": None}],
        [{"limit": True, "window": "day", "class": None}],
        [{"limit": 0, "window": "day", "class": None}],
        [{"limit": 5, "window": "week", "class": None}],
        [{"limit": 5, "window": "day", "class": 7}],
    ],
    ids=str,
)
def test_what_an_issuer_says_is_read_or_refused(told):
    with pytest.raises(Unreadable):
        RateLimits.read(told)
    good = RateLimits.parse("5/day", "2/minute:booking")
    assert RateLimits.read(good.kept()) == RateLimits.of(good.kept()) == good
