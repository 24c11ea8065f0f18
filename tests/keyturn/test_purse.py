"""What a verifier draws, holds and spends of a credential's limits; no network, no clock."""

import pytest

from keyturn import RateLimited
from keyturn.limits.purse import Purse
from keyturn.wire import Unreadable

NAME = "key_1"


def lease(*limits):
    """An issuer's answer of (amount, window, granted, remaining, resets_in)."""
    names = ("limit", "window", "granted", "remaining", "resets_in")
    return {"limits": [dict(zip(names, one, strict=True)) for one in limits]}


@pytest.fixture
def purse():
    return Purse(most=100, max_staleness=30)


def left(usages):
    return [(usage.remaining, usage.resets_in) for usage in usages]


def test_permits_are_spent_without_asking_and_of_every_window(purse):
    assert purse.must_draw(1, 0)
    purse.fill(lease((30, "minute", 3, 20, 40), (100, "day", 5, 60, 5000)), 0)
    said = []
    for second in (0, 1, 2):
        assert not purse.must_draw(1, second)
        said.append(left(purse.spend(1, second, NAME)))
    assert said == [
        [(22, 40), (64, 5000)],
        [(21, 39), (63, 4999)],
        [(20, 38), (62, 4998)],
    ]
    assert purse.must_draw(1, 3)
    held = [{"window": "minute", "permits": 0}, {"window": "day", "permits": 2}]
    assert purse.request(1, 3)["held"] == held


def test_a_window_that_ends_takes_its_permits_with_it(purse):
    purse.fill(lease((30, "minute", 10, 0, 40), (100, "day", 10, 60, 5000)), 0)
    assert not purse.must_draw(1, 39)
    assert purse.must_draw(1, 40)
    assert purse.request(1, 40)["held"] == [{"window": "day", "permits": 10}]
    purse.fill(lease((30, "minute", 2, 28, 60), (100, "day", 0, 60, 4960)), 40)
    assert left(purse.spend(1, 40, NAME)) == [(29, 60), (69, 4960)]


def test_permits_of_a_window_that_has_ended_for_the_issuer_are_not_kept(purse):
    """Its clock is a little ahead of ours."""
    purse.fill(lease((30, "minute", 10, 0, 40)), 0)
    purse.fill(lease((30, "minute", 2, 28, 60)), 39.5)
    assert left(purse.spend(1, 39.5, NAME)) == [(29, 60)]
    purse.fill(lease((30, "minute", 2, 20, 59)), 40)  # the same window: what is held stays
    assert left(purse.spend(1, 40, NAME)) == [(22, 59)]


@pytest.mark.row("S2-64")
def test_where_nothing_is_left_nobody_is_asked_until_it_can_be_otherwise(purse):
    purse.fill(lease((30, "minute", 0, 0, 40), (100, "day", 5, 60, 5000)), 0)
    for second in (0, 29):
        assert not purse.must_draw(1, second)
        with pytest.raises(RateLimited) as refused:
            purse.spend(1, second, NAME)
        assert refused.value.retry_after == 40 - second
        assert left(refused.value.usages) == [(0, 40 - second), (65, 5000 - second)]
    assert purse.must_draw(1, 30)  # the plan may have changed
    purse.fill(lease((60, "minute", 1, 29, 10), (100, "day", 0, 60, 4970)), 30)
    assert left(purse.spend(1, 30, NAME)) == [(29, 10), (64, 4970)]


def test_a_window_of_which_nothing_was_drawn_is_not_waited_for(purse):
    purse.fill(lease((30, "minute", 0, 0, 40), (100, "day", 0, 65, 5000)), 0)
    with pytest.raises(RateLimited) as refused:
        purse.spend(1, 0, NAME)
    assert refused.value.retry_after == 40
    # Somebody was quicker: there was one left when we asked, and it was not given.
    purse.fill(lease((30, "minute", 0, 1, 40)), 1)
    with pytest.raises(RateLimited) as refused:
        purse.spend(1, 1, NAME)
    assert refused.value.retry_after == 1
    assert purse.must_draw(1, 1)


def test_what_is_too_little_for_much_is_enough_for_less(purse):
    purse.fill(lease((10, "minute", 0, 3, 40)), 0)
    assert not purse.must_draw(5, 1)
    with pytest.raises(RateLimited):
        purse.spend(5, 1, NAME)
    assert purse.must_draw(1, 1)
    assert purse.request(1, 1)["needed"] == 1


def test_who_is_unlimited_is_asked_about_again_in_a_while(purse):
    purse.fill(lease(), 0)
    assert purse.spend(1, 29, NAME) == ()
    assert not purse.must_draw(1, 29)
    assert purse.must_draw(1, 30)


def test_who_asks_often_draws_more_and_who_seldom_asks_hardly_anything(purse):
    def draw(now):
        wanted = purse.request(1, now)["permits"]
        purse.fill(lease((1000, "day", wanted, 500, 5000)), now)
        return wanted

    assert [draw(now / 10) for now in range(9)] == [1, 2, 4, 8, 16, 32, 64, 100, 100]
    assert [draw(3 + 2 * n) for n in range(2)] == [100, 100]
    assert [draw(10 + 5 * n) for n in range(8)] == [50, 25, 12, 6, 3, 1, 1, 1]
    assert purse.request(7, 100)["permits"] == 7


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"limits": {}},
        {"limits": [None]},
        {"limits": [{"limit": 1, "window": "day"}]},
        lease((1, "week", 1, 1, 1)),
        lease((1, "day", None, 1, 1)),
        lease(("many", "day", 1, 1, 1)),
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_read(purse, answer):
    with pytest.raises(Unreadable):
        purse.fill(answer, 0)
