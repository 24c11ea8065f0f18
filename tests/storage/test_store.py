"""Transactions: record, event and change stand together; and no request hangs on a database."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import StatementError

from app.errors import Conflict, NotFound, Unavailable
from app.settings import Settings
from app.storage.engine import database_uri, engine_options, prepare
from app.storage.models import ClientSecretRow, OrganizationRow
from tests.support.installation import installed


class Failed(Exception):
    pass


def counted(installation):
    return {
        table: installation.rows(f"SELECT count(*) FROM {table}")[0][0]
        for table in ("clients", "client_secrets", "audit_events", "changes")
    }


def test_a_use_case_that_fails_at_the_commit_leaves_nothing(any_installation):
    before = counted(any_installation)
    engine = any_installation.desk.store.engine

    def fail(_connection):
        raise Failed

    event.listen(engine, "commit", fail)
    try:
        with pytest.raises(Failed):
            any_installation.client()
    finally:
        event.remove(engine, "commit", fail)
    assert counted(any_installation) == before
    any_installation.client()
    after = counted(any_installation)
    assert after["clients"] == before["clients"] + 1
    assert after["client_secrets"] == before["client_secrets"] + 1
    assert after["audit_events"] > before["audit_events"]
    assert after["changes"] > before["changes"]


def test_a_use_case_that_refuses_leaves_nothing(any_installation):
    before = counted(any_installation)
    with pytest.raises(NotFound):
        any_installation.disable("client_unknown")
    with pytest.raises(Conflict):
        any_installation.organization("Operator")
    assert counted(any_installation) == before


def add(installation, *rows):
    with installation.desk.store.transaction(installation.operator) as work:
        work.session.add_all(rows)


def test_what_hangs_on_nothing_is_not_stored(any_installation):
    """SQLite checks foreign keys only when it is told to."""
    row = ClientSecretRow(
        id="sec_x",
        client_id="client_unknown",
        digest=bytes(32),
        prefix="p",
        last_four="four",
        note="",
        created_at=datetime.now(UTC),
    )
    with pytest.raises(Conflict):
        add(any_installation, row)


def test_there_is_one_operator(any_installation):
    with any_installation.desk.store.reading() as session:
        first = session.get(OrganizationRow, any_installation.organization_id)
        columns = {c.name: getattr(first, c.name) for c in OrganizationRow.__table__.columns}
    second = OrganizationRow(**columns | {"id": "org_two", "name": "Two"})
    with pytest.raises(Conflict):
        add(any_installation, second)


def test_instants_are_aware_and_come_back_in_utc(any_installation):
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    ends_at = datetime.now(elsewhere).replace(microsecond=123456) + timedelta(days=1)
    client = any_installation.client(secret_expires_at=ends_at)
    with any_installation.desk.store.reading() as session:
        (row,) = session.query(ClientSecretRow).filter_by(client_id=client.client_id)
        assert row.expires_at == ends_at
        assert row.expires_at.tzinfo is UTC
    row.expires_at = datetime(2030, 1, 1)  # noqa: DTZ001 - what is to be refused
    with pytest.raises(StatementError, match="aware"):
        add(any_installation, row)


def test_readers_do_not_wait_for_a_writer(any_installation):
    client = any_installation.client()
    store = any_installation.desk.store
    with store.transaction(any_installation.operator) as work:
        work.session.execute(text("UPDATE clients SET name = 'changed'"))
        started = time.monotonic()
        with store.connect() as connection:
            found = connection.execute(text("SELECT name FROM clients")).scalars().all()
        assert time.monotonic() - started < 10
        assert "changed" not in found
    assert client


def test_writers_wait_for_each_other_and_both_come_through(any_installation):
    clients = [any_installation.client().client_id for _ in range(6)]
    failed = []

    def write(client_id):
        try:
            for _ in range(3):
                any_installation.disable(client_id)
                any_installation.enable(client_id)
        except Exception as error:  # noqa: BLE001 - shown below
            failed.append(error)

    threads = [threading.Thread(target=write, args=(one,)) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []


def test_whoever_waits_too_long_is_told_so(tmp_path, database_url):
    """The other writer never ends: after the set time it is a 503, not a hanging request."""
    with installed(tmp_path / "slow", database_url, KEYTURN_DATABASE_TIMEOUT="1") as installation:
        client = installation.client()
        store = installation.desk.store
        started = []

        def disable():
            started.append(time.monotonic())
            try:
                installation.disable(client.client_id)
            except Exception as error:  # noqa: BLE001 - it is the answer
                started.append(error)
            started.append(time.monotonic())

        with store.begin() as connection:
            connection.execute(text("UPDATE clients SET name = 'held'"))
            waiting = threading.Thread(target=disable)
            waiting.start()
            waiting.join(timeout=30)
            assert not waiting.is_alive()
        began, error, ended = started
        assert isinstance(error, Unavailable)
        assert ended - began < 10
        # And nothing is left behind that would stop the next.
        installation.disable(client.client_id)


def test_when_every_connection_is_taken(tmp_path, postgres_url):
    environ = {"KEYTURN_DATABASE_TIMEOUT": "1", "KEYTURN_DATABASE_POOL": "1"}
    with installed(tmp_path / "narrow", postgres_url, **environ) as installation:
        store = installation.desk.store
        with store.connect(), pytest.raises(Unavailable), store.connect():
            pass
        with store.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1


def test_many_are_the_first_to_open_a_file(tmp_path):
    """SQLite refuses all but one of them at once; one round in a dozen did, when nobody waited."""

    def first_of_many(settings, barrier):
        engine = create_engine(database_uri(settings), **engine_options(settings))
        prepare(engine, settings)
        barrier.wait()
        with engine.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        engine.dispose()
        return mode

    with ThreadPoolExecutor(4) as threads:
        for number in range(60):
            barrier = threading.Barrier(4)
            settings = Settings.from_env({"KEYTURN_DATABASE_URL": f"sqlite:///{tmp_path}/{number}"})
            opened = [threads.submit(first_of_many, settings, barrier) for _ in range(4)]
            assert [one.result() for one in opened] == ["wal"] * 4
