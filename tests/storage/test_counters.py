"""One suite for every engine that counts: a limit of N lets N pass, for all who share it."""

import multiprocessing
import os
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import Unavailable
from app.storage.counters import shared
from app.storage.counters.database import DatabaseCounter
from app.storage.counters.redis import RedisCounter
from app.storage.counters.shared import BUCKET, BUCKETS, STRIPES, SharedCounter
from tests.support.installation import installed
from tests.support.redis import RedisServer

MINUTE = 60


class Clock:
    """Stands where it is put."""

    def __init__(self, now=1_800_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock(float(int(time.time()) // MINUTE * MINUTE + 1))


@pytest.fixture(params=["shared", "database", "redis"])
def engine(request, tmp_path, clock):
    """Makes counters that share what they count, as workers and nodes would."""
    if request.param == "shared":
        yield lambda: SharedCounter(tmp_path / "counters", clock)
    elif request.param == "database":
        with installed(tmp_path / "i", request.getfixturevalue("postgres_url")) as installation:
            yield lambda: DatabaseCounter(installation.services.store, clock)
    else:
        url = request.getfixturevalue("redis_url")
        alone = SharedCounter(tmp_path / "alone", clock)
        yield lambda: RedisCounter(url, alone, clock)


def test_counts_go_up_by_name_and_window(engine, clock, request):
    one, other = engine(), engine()
    name = request.node.name
    assert [one.hit(name, MINUTE).used, other.hit(name, MINUTE).used] == [1, 2]
    assert other.hit(name, MINUTE, cost=5).used == 7
    assert one.hit(name + "x", MINUTE).used == 1
    assert one.hit(name, 3600).used == 1
    assert one.hit(name, MINUTE).ends_at == int(clock.now) // MINUTE * MINUTE + MINUTE


def test_the_next_window_begins_at_nothing(engine, clock, request):
    counter = engine()
    name = request.node.name
    counter.hit(name, MINUTE, cost=100)
    clock.now += MINUTE
    assert counter.hit(name, MINUTE).used == 1


def test_a_clock_that_is_set_back_locks_nobody_out(engine, clock, request):
    """Nor one that was ahead for a moment: what it counted then is no part of this window."""
    counter = engine()
    name = request.node.name
    counter.hit(name, MINUTE)
    clock.now += 3600
    counter.hit(name, MINUTE, cost=100)
    clock.now -= 3600
    again = counter.hit(name, MINUTE)
    assert again.used <= 2
    assert clock.now < again.ends_at <= clock.now + MINUTE


def test_n_lets_n_pass_whoever_asks(engine, request):
    counters = [engine(), engine()]
    name = request.node.name
    start = threading.Barrier(8)

    def ask(worker):
        start.wait()
        return [counters[worker % 2].hit(name, MINUTE).used for _ in range(25)]

    with ThreadPoolExecutor(8) as pool:
        seen = [used for worker in pool.map(ask, range(8)) for used in worker]
    assert sorted(seen) == list(range(1, 201))


def _hit_many(path, now, times):
    counter = SharedCounter(path, lambda: now)
    for _ in range(times):
        counter.hit("name", MINUTE)


def test_processes_share_a_file(tmp_path, clock):
    path = tmp_path / "counters"
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_hit_many, args=(path, clock.now, 500)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert SharedCounter(path, clock).hit("name", MINUTE).used == 1501


def _hit_on_threads(path, now, names):
    counter = SharedCounter(path, lambda: now)
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda name: counter.hit(f"name {name}", MINUTE), range(names)):
            pass


@pytest.mark.parametrize("stripes", [STRIPES, 1])
def test_threads_of_several_processes_are_no_deadlock(tmp_path, clock, stripes, monkeypatch):
    """The kernel must not refuse a lock because one thread waits here and another one there."""
    monkeypatch.setattr(shared, "STRIPES", stripes)
    shared._place.cache_clear()
    path, names = tmp_path / "counters", 8000
    fork = multiprocessing.get_context("fork")
    workers = [
        fork.Process(target=_hit_on_threads, args=(path, clock.now, names)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(100)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    counter = SharedCounter(path, clock)
    assert {counter.hit(f"name {name}", MINUTE, cost=0).used for name in range(names)} == {3}


def test_a_file_that_cannot_grow_is_tried_again(tmp_path, clock):
    counter = SharedCounter(tmp_path / "counters", clock)
    allowed, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, most))
    try:
        before = set(os.listdir("/proc/self/fd"))
        for _ in range(20):
            with pytest.raises(Unavailable) as refused:
                counter.hit("name", MINUTE)
            assert refused.value.detail.startswith("counters: ")
        assert set(os.listdir("/proc/self/fd")) == before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, most))
    assert counter.hit("name", MINUTE).used == 1


def test_a_flood_of_names_takes_no_more_room(tmp_path, clock):
    path = tmp_path / "counters"
    counter = SharedCounter(path, clock)
    counter.hit("first", MINUTE)
    size = path.stat().st_size
    for n in range(BUCKET * BUCKETS // 8):
        counter.hit(f"name {n}", MINUTE)
    assert path.stat().st_size == size


def test_redis_away_is_counted_here_and_said(tmp_path, clock, caplog):
    server = RedisServer.found()
    server.start()
    counter = RedisCounter(server.url, SharedCounter(tmp_path / "alone", clock), clock)
    assert counter.hit("name", MINUTE).used == 1
    server.stop()
    assert [counter.hit("name", MINUTE).used for _ in range(3)] == [1, 2, 3]
    assert caplog.text.count("Redis is away") == 1
