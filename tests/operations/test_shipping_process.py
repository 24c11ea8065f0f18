"""The process beside the workers that takes the journal to the database, and its death."""

import os
import signal
from contextlib import suppress

import psutil
import pytest

from app.cli.shipping import PATIENCE
from tests.support.hammer import assert_each_has_one_event, events, hammered
from tests.support.served import eventually, serving, start
from tests.support.tokens import unverified


def shippers(server):
    """Who ships, and before it who watches over it; once both are there."""
    return eventually(lambda: found if len(found := server.shippers()) == 2 else None)


def issued(server, client, count=5):
    return {unverified(server.token(client))["jti"] for _ in range(count)}


def in_log(installation):
    return {row.target_id for row in events(installation)}


def test_it_ships_and_the_worker_does_not(fresh_installation):
    client = fresh_installation.client()
    with serving(fresh_installation, workers=2) as server:
        for shipper in reversed(shippers(server)):
            shipper.suspend()
        jtis = issued(server, client)
        waiting = eventually(lambda: list(fresh_installation.journal_dir.glob("*.jsonl")))
        assert waiting
        assert not in_log(fresh_installation) & jtis
        for shipper in server.shippers():
            shipper.resume()
        eventually(lambda: in_log(fresh_installation) >= jtis, timeout=30)


def test_it_is_started_again_when_it_is_killed(fresh_installation):
    client = fresh_installation.client()
    with serving(fresh_installation) as server:
        with hammered(server, client) as received:
            for _ in range(3):
                _, shipper = shippers(server)
                so_far = len(received())
                eventually(lambda n=so_far: len(received()) > n + 50, timeout=60)
                shipper.kill()
                eventually(
                    lambda dead=shipper: (
                        len(server.shippers()) == 2
                        and dead.pid not in [one.pid for one in server.shippers()]
                    )
                )
        assert_each_has_one_event(fresh_installation, received())
        assert "the shipping process ended with -9; it is started again" in server.log()


def test_workers_ship_where_nobody_else_does(fresh_installation):
    client = fresh_installation.client()
    with serving(fresh_installation) as server:
        for process in shippers(server):
            process.kill()
        jtis = issued(server, client)
        eventually(lambda: in_log(fresh_installation) >= jtis, timeout=PATIENCE + 30)
        last = issued(server, client)
    assert not in_log(fresh_installation) & last
    with serving(fresh_installation):
        eventually(lambda: in_log(fresh_installation) >= last, timeout=30)


def test_what_is_left_is_shipped_when_the_server_is_dead(fresh_installation):
    """As after the kernel has taken the biggest processes."""
    client = fresh_installation.client()
    server = start(fresh_installation)
    left = shippers(server)
    jtis = issued(server, client)
    for process in (psutil.Process(server.process.pid), *server.workers()):
        process.kill()
    _, alive = psutil.wait_procs(left, timeout=30)
    assert not alive, "it ends when there is nobody left to ship for"
    assert in_log(fresh_installation) >= jtis
    server.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_at_once_loses_nothing(fresh_installation, number):
    """As a service manager sends SIGTERM, and a terminal SIGINT."""
    client = fresh_installation.client()
    with serving(fresh_installation) as server:
        left = shippers(server)
        jtis = issued(server, client, 20)
        for process in psutil.Process(server.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                os.kill(process.pid, number)
        server.process.send_signal(number)
        server.process.wait(timeout=30)
        assert not [process for process in left if process.is_running()]
    assert in_log(fresh_installation) >= jtis
    assert list(fresh_installation.journal_dir.glob("*.jsonl")) == []
