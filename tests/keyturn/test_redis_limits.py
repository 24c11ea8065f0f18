"""Limits in a real Redis: N lets N pass for all who share it, all windows or none."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from keyturn import RateLimited
from keyturn.limits.redis import RedisLimits
from tests.keyturn.support import WaitedLimits
from tests.keyturn.test_limits import BEGUN, key, passed
from tests.support.redis import RedisServer

FUTURE = BEGUN + 10 * 365 * 86400 // (30 * 86400) * (30 * 86400)
"""The beginning of every window, far enough ahead that Redis keeps what is counted in it."""


@pytest.fixture(params=["threads", "tasks"])
def limits_of(request, loop_thread):
    """Makes limits; those of tasks are waited for."""

    made = []

    def make(*settings, **also):
        limits = RedisLimits(*settings, **also)
        made.append(limits if request.param == "threads" else WaitedLimits(limits, loop_thread))
        return made[-1]

    yield make
    for limits in made:
        limits.close()


@pytest.fixture
def engine(limits_of, redis_url):
    return lambda *default: limits_of(redis_url, *default, now=lambda: FUTURE + 20)


def test_n_lets_n_pass_whoever_asks(engine, request):
    engines, who = [engine(), engine()], key("50/day", "200/month", id=request.node.name)
    with ThreadPoolExecutor(8) as pool:
        counts = pool.map(lambda n: passed(engines[n % 2], who, times=15)[0], range(8))
    assert sum(counts) == 50


def test_a_refusal_takes_nothing_and_says_when_it_is_worth_trying(engine, request):
    limits, who = engine(), key("2/minute", "3/day", id=request.node.name)
    count, refused = passed(limits, who, times=9)
    assert (count, refused.retry_after) == (2, 40)
    assert [(usage.used, usage.resets_in) for usage in refused.usages] == [(2, 40), (2, 86380)]


def test_what_costs_more_and_what_holds_by_default(engine, request):
    limits, who = engine("10/minute:booking"), key(id=request.node.name)
    assert passed(limits, who, "booking", times=3, cost=7)[0] == 1
    assert limits.take(who, "booking", 3)[0].remaining == 0
    assert limits.take(who, "report") == ()


def test_redis_away_is_counted_here_and_said(limits_of, caplog):
    server = RedisServer.found()
    server.start()
    limits, who = limits_of(server.url), key("3/day")
    assert limits.take(who)[0].remaining == 2
    server.stop()
    assert passed(limits, who, times=9)[0] == 3
    with pytest.raises(RateLimited):
        limits.take(who)
    assert caplog.text.count("Redis is away") == 1
