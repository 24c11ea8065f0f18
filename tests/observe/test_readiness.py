"""Ready or not: the truth, in bounded time, in a word of a closed list."""

import os
import signal
import threading
import time

import psutil
import pytest

from app import create_app
from app.errors import StartRefused, Unavailable
from app.observe import readiness
from app.observe.readiness import Checks, Readiness, Verdict
from app.settings import Settings
from app.wiring import services
from tests.support.installation import installed
from tests.support.postgres import Postgres
from tests.support.served import eventually, serving


def checks(**also):
    return Checks(
        **{
            "database": lambda: None,
            "signing_key": lambda: None,
            "is_bearable": lambda: False,
            "has_signing_key": lambda: True,
            "journal_is_full": lambda: False,
            "journal_is_writable": lambda: True,
        }
        | also
    )


def away():
    raise Unavailable(detail="database: secret host name")


def refused():
    raise StartRefused("There is no signing key")


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        ({}, Verdict(True)),
        ({"database": away}, Verdict(False, "database_unavailable")),
        ({"database": away, "is_bearable": lambda: True}, Verdict(True, "database_unavailable")),
        (
            {
                "database": away,
                "is_bearable": lambda: True,
                "has_signing_key": lambda: False,
            },
            Verdict(False, "database_unavailable"),
        ),
        ({"signing_key": refused}, Verdict(False, "signing_key_unavailable")),
        (
            {"signing_key": refused, "is_bearable": lambda: True},
            Verdict(False, "signing_key_unavailable"),
        ),
        ({"signing_key": away}, Verdict(False, "database_unavailable")),
        ({"journal_is_full": lambda: True}, Verdict(False, "journal_full")),
        ({"journal_is_writable": lambda: False}, Verdict(False, "journal_unwritable")),
    ],
)
def test_verdicts(wrong, verdict):
    assert Readiness(checks(**wrong), 5)() == verdict
    assert verdict.reason in (None, *readiness.REASONS)


def test_a_database_that_hangs_is_waited_for_once_and_not_long():
    hangs, asked = threading.Event(), []

    def hang():
        asked.append(1)
        hangs.wait(30)

    ready = Readiness(checks(database=hang), 0.2)
    began = time.monotonic()
    assert ready() == Verdict(False, "database_timeout")
    assert time.monotonic() - began > 0.15
    for _ in range(50):
        assert ready() == Verdict(False, "database_timeout")
    assert len(asked) == 1
    hangs.set()
    eventually(lambda: ready() == Verdict(True))


def test_no_deadline_is_longer_than_a_probe_waits():
    assert Readiness(checks(), 60)._deadline == readiness.MAX_DEADLINE


def test_many_who_ask_at_once_are_one_question():
    asked, begun = [], threading.Barrier(20)

    def slow():
        asked.append(1)
        time.sleep(0.3)

    ready = Readiness(checks(database=slow), 5)
    verdicts = []

    def ask():
        begun.wait()
        verdicts.append(ready())

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == [Verdict(True)] * 20
    assert len(asked) == 1


# The real thing -----------------------------------------------------------------------------------


def answer(http):
    response = http.get("/health/ready")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    return response.status_code, response.json()


def test_ready(fresh_installation):
    assert answer(fresh_installation.http) == (200, {"status": "ready"})


def test_without_a_signing_key(fresh_installation):
    with fresh_installation.desk.store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM signing_keys")
    fresh_installation.services.keyring.drop()
    assert answer(fresh_installation.http) == (
        503,
        {"status": "unavailable", "reason": "signing_key_unavailable"},
    )


def test_with_another_master_key(fresh_installation):
    (fresh_installation.directory / "keys" / "master.key").write_text("A" * 43 + "\n")
    found = services(create_app(Settings.from_env(fresh_installation.environ)))
    assert found.readiness() == Verdict(False, "signing_key_unavailable")
    found.store.engine.dispose()


def test_with_a_full_journal(tmp_path):
    with installed(tmp_path / "full", KEYTURN_JOURNAL_LIMIT=str(1024 * 1024)) as installation:
        journal = installation.journal_dir
        journal.mkdir(parents=True)
        path = journal / f"{time.time_ns()}-1-0.jsonl"
        path.write_bytes(b"x" * (1024 * 1024 + 1))
        assert answer(installation.http) == (
            503,
            {"status": "unavailable", "reason": "journal_full"},
        )
        path.unlink()
        assert answer(installation.http)[0] == 200


def test_with_a_journal_that_cannot_be_written(fresh_installation):
    journal = fresh_installation.journal_dir
    if journal.exists():
        journal.rename(journal.with_suffix(".away"))
    journal.write_text("not a directory")  # as root, rights alone would not stop us
    assert answer(fresh_installation.http) == (
        503,
        {"status": "unavailable", "reason": "journal_unwritable"},
    )


def test_looking_leaves_nothing_behind(fresh_installation):
    for _ in range(3):
        assert answer(fresh_installation.http)[0] == 200
    assert not list(fresh_installation.journal_dir.iterdir())


STALE = "10"
"""Seconds: more than a probe's patience and a token on a slow machine,
no longer than needed."""


@pytest.fixture
def own_postgres():
    """A server that may be stopped in the middle of anything."""
    running = Postgres.start()
    yield running
    running.stop()


def test_a_database_that_hangs(tmp_path, own_postgres):
    """It accepts, and then says nothing: connections wait for it, probes do not."""
    with (
        installed(
            tmp_path / "hangs", own_postgres.create(), KEYTURN_MAX_STALE=STALE
        ) as installation,
        serving(installation) as server,
    ):
        client = installation.client()
        server.token(client)
        assert answer(server) == (200, {"status": "ready"})
        main = psutil.Process(own_postgres._process.pid)
        stopped = [main, *main.children(recursive=True)]
        for process in stopped:
            os.kill(process.pid, signal.SIGSTOP)
        try:
            status, body = answer(server)
            assert (status, body) == (200, {"status": "ready", "degraded": "database_timeout"})
            assert server.ask(client).status_code == 200
            # Past KEYTURN_MAX_STALE nobody is served, and nobody is told otherwise.
            eventually(lambda: answer(server)[0] == 503, timeout=40)
            assert answer(server)[1]["reason"] in ("database_timeout", "database_unavailable")
            assert server.get("/health").status_code == 200
        finally:
            for process in stopped:
                os.kill(process.pid, signal.SIGCONT)
        eventually(lambda: answer(server) == (200, {"status": "ready"}), timeout=30)
