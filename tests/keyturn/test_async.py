"""What is particular to tasks: nothing blocks the loop, one asks for all, and loops come and go."""

import asyncio
import gc
import os
import threading

import httpx
import pytest

from keyturn import (
    DEFAULT_API_KEY,
    AsyncGuard,
    AsyncVerifier,
    InsufficientScope,
    RateLimited,
    Reason,
    Route,
    Verifier,
    VerifierUnavailable,
    all_of,
)
from keyturn.limits.leases import LeasedLimits
from keyturn.limits.local import LocalLimits
from keyturn.usage import UsageReporter
from tests.keyturn.support import AUDIENCE, NOW, START, FakeIssuer, Reply, good_token

KEY, OTHER = DEFAULT_API_KEY.generate("live"), DEFAULT_API_KEY.generate("live")
INTROSPECT = FakeIssuer.INTROSPECT
REPORTS = "/v1/usage/reports"


@pytest.fixture
def verifier(issuer):
    """Not closed: each test does that in its loop."""
    issuer.knows(KEY)
    return AsyncVerifier(issuer.url, AUDIENCE, "api_1", "kts_live_x", clock=lambda: START)


def bearer(issuer, **changes):
    return f"Bearer {good_token(iss=issuer.url, **changes)}"


async def until(condition):
    """Gives way until it holds; the test's own timeout ends what never comes."""
    while not condition():
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("slow", "warm"),
    [("METADATA", False), ("JWKS", False), ("LIST", True), ("INTROSPECT", True)],
)
def test_a_slow_issuer_stops_nothing_else(issuer, verifier, slow, warm):
    """While one request waits for the issuer the loop runs on, and others are served."""
    gate = threading.Event()

    async def main():
        good = bearer(issuer)
        if warm:
            await verifier.verify(good)
        issuer.entered.clear()
        issuer.first[getattr(issuer, slow)] = [Reply(503, b"", gate=gate)]
        presented = {
            "LIST": bearer(issuer, status=issuer.place(7)),
            "INTROSPECT": f"Bearer {KEY}",
        }.get(slow, good)
        waiting = asyncio.create_task(verifier.verify(presented))
        await until(issuer.entered.is_set)
        for _ in range(1000):
            await asyncio.sleep(0)
            if warm:
                assert (await verifier.verify(good)).id == "client_1"
        assert not waiting.done()
        gate.set()
        with pytest.raises(VerifierUnavailable):
            await waiting
        await verifier.close()

    asyncio.run(main())


def test_tasks_ask_once_and_each_for_its_own_key(issuer, verifier):
    issuer.knows(OTHER, client_id="key_2", sub="key_2")

    async def main():
        async with verifier:
            presented = [f"Bearer {KEY}", f"Bearer {OTHER}"] * 50
            found = await asyncio.gather(*map(verifier.verify, presented))
        assert [one.id for one in found] == ["key_1", "key_2"] * 50

    asyncio.run(main())
    assert (issuer.hits[INTROSPECT], issuer.hits[issuer.METADATA]) == (2, 1)


def test_tasks_share_a_failure_and_the_next_one_asks_again(issuer, verifier):
    issuer.first[INTROSPECT] = [Reply(503, b"", {"Retry-After": "7"})]

    async def main():
        async with verifier:
            asked = [verifier.verify(f"Bearer {KEY}") for _ in range(20)]
            errors = await asyncio.gather(*asked, return_exceptions=True)
            told = {(error.reason, error.retry_after) for error in errors}
            assert told == {(Reason.UNAVAILABLE, 7)}
            assert len(set(map(id, errors))) == 20
            assert (await verifier.verify(f"Bearer {KEY}")).id == "key_1"

    asyncio.run(main())
    assert issuer.hits[INTROSPECT] == 2


@pytest.mark.parametrize("gone", [1, 3], ids=["the first", "all"])
def test_who_gives_up_takes_the_answer_from_nobody(issuer, verifier, gone):
    gate = threading.Event()
    issuer.instead[INTROSPECT] = Reply(503, b"", gate=gate)

    async def main():
        async with verifier:
            tasks = [asyncio.create_task(verifier.verify(f"Bearer {KEY}")) for _ in range(3)]
            await until(lambda: issuer.hits[INTROSPECT])
            for task in tasks[:gone]:
                task.cancel()
            await asyncio.wait(tasks[:gone])
            gate.set()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(one) for one in found[gone:]] == [VerifierUnavailable] * (3 - gone)
        gc.collect()

    asyncio.run(main(), debug=True)
    assert issuer.hits[INTROSPECT] == 1


def test_loops_one_after_the_other_share_what_is_known(issuer, verifier):
    async def main():
        found = await verifier.verify(f"Bearer {KEY}"), await verifier.verify(bearer(issuer))
        await verifier.close()
        return [one.id for one in found]

    for _ in range(3):
        assert asyncio.run(main()) == ["key_1", "client_1"]
    assert (issuer.hits[INTROSPECT], issuer.hits[issuer.JWKS]) == (1, 1)


def test_loops_beside_each_other(issuer, verifier):
    found, barrier = [], threading.Barrier(4)

    async def main():
        barrier.wait(20)
        presented = [f"Bearer {KEY}", bearer(issuer)] * 25
        found.extend(await asyncio.gather(*map(verifier.verify, presented)))
        await verifier.close()

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 200
    # What is under way is each loop's own; what is known is not.
    assert issuer.hits[INTROSPECT] <= 4


def test_its_threads_end_with_it_and_usage_is_reported(issuer, verifier):
    issuer.instead[REPORTS] = Reply()
    ours = {"keyturn-status", "keyturn-usage"}
    before = set(threading.enumerate())

    def running():
        return {thread.name for thread in set(threading.enumerate()) - before} & ours

    async def main():
        await verifier.verify(bearer(issuer, status=issuer.place(7)))
        UsageReporter(verifier).note("client_1")
        assert running() == ours
        await verifier.close()
        await until(lambda: not running())

    asyncio.run(main())
    assert issuer.hits[REPORTS] == 1


def test_a_guard_counts_and_asks(issuer, verifier):
    booking = Route(all_of("bookings:read"), "booking")

    async def main():
        guard = AsyncGuard(verifier, limits=LocalLimits("2/day:booking", now=lambda: NOW))
        admission = await guard.admit(bearer(issuer), booking, ip="192.0.2.1")
        assert (admission.principal.id, admission.usages[0].remaining) == ("client_1", 1)
        with pytest.raises(InsufficientScope) as refused:
            await guard.admit(bearer(issuer, scope="x:y"), booking)
        assert refused.value.usages[0].remaining == 0
        with pytest.raises(RateLimited):
            await guard.admit(bearer(issuer), booking)
        with pytest.raises(ValueError, match="public"):
            await guard.admit(bearer(issuer), Route(None))
        await guard.close()

    asyncio.run(main())


def test_clients_of_ones_own(issuer):
    issuer.knows(KEY)

    async def main():
        with httpx.Client(trust_env=False, headers={"X-Mark": "threads"}) as threads:
            async with httpx.AsyncClient(trust_env=False, headers={"X-Mark": "tasks"}) as tasks:
                clients = {"http_client": tasks, "background_client": threads}
                made = AsyncVerifier(issuer.url, AUDIENCE, "a", "b", clock=lambda: START, **clients)
                async with made as verifier:
                    await verifier.verify(f"Bearer {KEY}")
                    await verifier.verify(bearer(issuer, status=issuer.place(7)))
                    await verifier.refresh()
                assert not tasks.is_closed

    asyncio.run(main())
    assert {headers["x-mark"] for headers in issuer.seen_headers} == {"tasks", "threads"}
    with pytest.raises(ValueError, match="both or none"):
        AsyncVerifier(issuer.url, AUDIENCE, background_client=httpx.Client())


def test_leases_for_tasks_need_a_verifier_for_tasks(issuer):
    with Verifier(issuer.url, AUDIENCE, "a", "b", clock=lambda: START) as verifier:
        principal = verifier.verify(bearer(issuer))
        with pytest.raises(RuntimeError, match="AsyncVerifier"):
            asyncio.run(LeasedLimits(verifier).take_async(principal))


@pytest.mark.filterwarnings("ignore:This process")  # forking with threads is the point
def test_a_fork_while_another_thread_asks(issuer):
    """The child has neither the other thread nor what that thread held."""
    issuer.knows(KEY)
    gate = threading.Event()
    issuer.first[issuer.METADATA] = [Reply(503, b"", gate=gate)]
    with Verifier(issuer.url, AUDIENCE, "a", "b") as verifier:

        def ask():
            with pytest.raises(VerifierUnavailable):
                verifier.verify(f"Bearer {KEY}")

        asking = threading.Thread(target=ask)
        asking.start()
        assert issuer.entered.wait(20)
        with verifier._fetch._lock:
            child = os.fork()
            if child == 0:
                found = ""
                try:
                    found = verifier.verify(f"Bearer {KEY}").id
                finally:
                    os._exit(0 if found == "key_1" else 1)
        assert os.waitpid(child, 0)[1] == 0
        gate.set()
        asking.join(20)
