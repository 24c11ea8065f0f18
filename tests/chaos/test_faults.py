"""What breaks while tokens are asked for: nothing that a client received is lost or doubled."""

import time

from redis import Redis

from tests.chaos.cluster import PATIENCE
from tests.support.served import eventually

SLACK = 0.5
"""Seconds between our clock's reading and the fault's arrival, on a busy machine."""


def test_workers_are_killed(cluster, load, scale):
    killed = []
    with load().running() as running:
        eventually(lambda: running.has_reached_all(0), timeout=PATIENCE)
        for _ in range(scale.kills):
            killed.append(cluster.kill_oldest_worker())
            time.sleep(scale.between_kills)
        now = time.monotonic()
        eventually(lambda: running.has_reached_all(now), timeout=PATIENCE)
    for failure in running.failures():
        # The request that the worker was busy with has no answer; every other one has a token.
        assert failure.status == 0, failure
        assert any(
            failure.node == node.number and failure.begun - SLACK <= at <= failure.ended + SLACK
            for node, at in killed
        ), (failure, killed)
    assert len(killed) == scale.kills
    cluster.assert_all_recorded(running.received)


def test_the_database_is_away(cluster, load, scale, database):
    key = cluster.installation.api_key(["keyturn:*"]).key
    new = {"name": "made while it was away", "scopes": ["bookings:read"]}
    with load().running() as running:
        eventually(lambda: running.has_reached_all(0), timeout=PATIENCE)
        assert {answer.status_code for answer in cluster.administration(key)} == {200}
        database.halt()
        away = time.monotonic()
        for answer in (
            *cluster.administration(key),
            *cluster.administration(key, "POST", json=new),
        ):
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) > 0
        time.sleep(max(0, away + scale.database_away - time.monotonic()))
        eventually(lambda: running.has_reached_all(away), timeout=PATIENCE)
        database.resume()
        back = time.monotonic()
        eventually(
            lambda: {answer.status_code for answer in cluster.administration(key)} == {200},
            timeout=PATIENCE,
            every=0.2,
        )
        eventually(lambda: running.has_reached_all(back), timeout=PATIENCE)
    # Known clients notice nothing at all: they are served from the directory.
    assert running.failures() == []
    cluster.assert_all_recorded(running.received)


def test_redis_is_away(cluster, load, scale, redis):
    with load().running() as running:
        eventually(lambda: running.has_reached_all(0), timeout=PATIENCE)
        redis.stop()
        away = time.monotonic()
        time.sleep(scale.redis_away)
        eventually(lambda: running.has_reached_all(away), timeout=PATIENCE)
        redis.start()
        with Redis.from_url(redis.url) as counters:
            eventually(counters.dbsize, timeout=PATIENCE)
    assert running.failures() == []
    for node in cluster.nodes:
        assert "Redis is away" in node.served.log()
    cluster.assert_all_recorded(running.received)


def test_nodes_are_restarted_in_turn(cluster, load, scale):
    going = []
    with load().running() as running:
        eventually(lambda: running.has_reached_all(0), timeout=PATIENCE)
        for _ in range(scale.rolls):
            for node in cluster.nodes:
                begun = time.monotonic()
                node.restart()
                going.append((node.number, begun, time.monotonic()))
                back = time.monotonic()
                eventually(lambda: running.has_reached_all(back), timeout=PATIENCE)  # noqa: B023
    for failure in running.failures():
        assert failure.status == 0, failure
        assert any(
            failure.node == number and begun - SLACK <= failure.ended and failure.begun <= ended
            for number, begun, ended in going
        ), (failure, going)
    print(f"without an answer: {running.failures()} of {len(running.answers)}")
    cluster.assert_all_recorded(running.received)
