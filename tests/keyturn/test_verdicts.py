"""What is remembered about keys: for how long, how much, and asked how often."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from keyturn import Reason, VerifierUnavailable, verdicts
from keyturn.fetch import Fetch
from keyturn.introspect import Introspection
from keyturn.talks import NOTHING, Pending, known
from tests.support.served import eventually


class Verdicts:
    """As a verifier has them: what is at hand, else what `answer` says of a key."""

    def __init__(self, answer, *settings, **also):
        self.fetch = Fetch()
        self.kept = verdicts.Verdicts(lambda key: known(answer(key)), *settings, **also)

    def on(self, key):
        try:
            return self.kept.on(NOTHING, key)
        except Pending as pending:
            return self.fetch.after(pending, self.kept.on, key)

    def others_wait(self, count):
        """Until so many threads wait for what one of them is asking."""
        [flight] = self.fetch._flights.values()
        eventually(lambda: len(flight._condition._waiters) == count)


ACTIVE = Introspection.read(b'{"active": true, "client_id": "key_1"}')


class Asked(list):
    """Answers from a table, and takes notes."""

    def __init__(self, table):
        self.table = table

    def __call__(self, key):
        self.append(key)
        return self.table.get(key, Reason.INACTIVE)


def test_age_counts_from_asking(time):
    def slow(key):
        time.advance(10)
        return ACTIVE

    remembered = Verdicts(slow, timedelta(seconds=15), monotonic=time.monotonic)
    assert remembered.on("a") is ACTIVE
    time.advance(4)
    remembered.on("a")
    assert time.passed == 14
    time.advance(1)
    remembered.on("a")
    assert time.passed == 25


def test_nothing_is_remembered_when_nothing_may_be(time):
    asked = Asked({"a": ACTIVE})
    remembered = Verdicts(asked, timedelta(0), monotonic=time.monotonic)
    for key in ("a", "a", "b", "b"):
        remembered.on(key)
    assert asked == ["a", "a", "b", "b"]


def test_a_refusal_is_remembered_for_less(time):
    asked = Asked({})
    remembered = Verdicts(asked, timedelta(seconds=60), monotonic=time.monotonic)
    remembered.on("a")
    time.advance(4.9)
    remembered.on("a")
    assert len(asked) == 1
    time.advance(0.1)
    remembered.on("a")
    assert len(asked) == 2


def test_guesses_do_not_push_good_keys_out(time, monkeypatch):
    asked = Asked({"good": ACTIVE})
    remembered = Verdicts(asked, monotonic=time.monotonic)
    remembered.on("good")
    for n in range(3 * verdicts.MAX_INACTIVE):
        remembered.on(f"guess-{n}")
    asked.clear()
    assert remembered.on("good") is ACTIVE
    assert asked == []
    assert len(remembered.kept._inactive._entries) == verdicts.MAX_INACTIVE


def test_the_least_used_goes_first(time):
    table = verdicts._Remembered(2)
    for name in (b"a", b"b"):
        table.put(name, ACTIVE, 10)
    assert table.get(b"a", 0)
    table.put(b"c", ACTIVE, 10)
    assert table.get(b"b", 0) is None
    assert table.get(b"a", 0)
    assert table.get(b"a", 10) is None
    assert len(table._entries) == 1


def test_many_threads_ask_once():
    asked = []

    def ask(key):
        asked.append(key)
        remembered.others_wait(15)
        return ACTIVE

    remembered = Verdicts(ask)
    with ThreadPoolExecutor(16) as pool:
        found = [f.result(20) for f in [pool.submit(remembered.on, "a") for _ in range(16)]]
    assert found == [ACTIVE] * 16
    assert asked == ["a"]


def test_many_threads_share_a_failure_and_the_next_one_asks_again():
    asked = []

    def ask(key):
        asked.append(key)
        if len(asked) == 1:
            remembered.others_wait(7)
        raise VerifierUnavailable(detail="down", retry_after=7)

    remembered = Verdicts(ask)

    def refused():
        with pytest.raises(VerifierUnavailable) as caught:
            remembered.on("a")
        return caught.value

    with ThreadPoolExecutor(8) as pool:
        errors = [f.result(20) for f in [pool.submit(refused) for _ in range(8)]]
    assert {(e.detail, e.retry_after) for e in errors} == {("down", 7)}
    assert len(set(map(id, errors))) == 8
    assert asked == ["a"]
    refused()
    assert asked == ["a", "a"]


def test_a_thread_does_not_wait_for_ever_for_another():
    entered, gate = threading.Event(), threading.Event()

    def ask(key):
        entered.set()
        gate.wait(20)
        return ACTIVE

    remembered = Verdicts(ask, patience=timedelta(seconds=0.05))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(remembered.on, "a")
        assert entered.wait(20)
        with pytest.raises(VerifierUnavailable, match="cannot be verified"):
            remembered.on("a")
        gate.set()
        assert first.result(20) is ACTIVE
    assert remembered.on("a") is ACTIVE


@pytest.mark.parametrize("staleness", [timedelta(seconds=-1), timedelta(seconds=60.001)])
def test_staleness_has_one_bound(staleness):
    with pytest.raises(ValueError, match="max_staleness"):
        Verdicts(Asked({}), staleness)
