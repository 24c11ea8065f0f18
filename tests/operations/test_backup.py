"""``flask backup`` and ``flask restore``: everything comes back, into either kind of database."""

from __future__ import annotations

import io
import json
import stat
import tracemalloc

import jwt
import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Float, Integer, LargeBinary, String, Text

from app.admin.backup import back_up, restore
from app.errors import Invalid
from app.records import Event
from app.storage import chain
from app.storage.models import Base
from app.storage.models.base import Instant
from app.storage.store import event_row
from tests.operations.conftest import emptied, flask, process, rows
from tests.support.served import eventually, serving


def QUIET(*_):  # noqa: N802
    """Says nothing."""


def backed_up(installation):
    file = io.BytesIO()
    back_up(installation.desk, installation.services.journal, file, QUIET)
    file.seek(0)
    return file


def token_of(installation, client):
    answer = installation.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=client
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def test_everything_comes_back(source, target):
    """SQLite and PostgreSQL, in both directions."""
    inspector = source.client(["keyturn:introspect"])
    key = source.api_key()
    before = token_of(source, source.known)
    source.http.get("/v1/me", headers={"Authorization": f"Bearer {key.key}"})
    source.services.uses.write()  # a line of the usage log, with its part of a second
    restored = restore(target.desk, backed_up(source), force=False, progress=QUIET)
    assert rows(target) == rows(source)
    assert restored.rows > 30
    named = "SELECT * FROM namings ORDER BY organization_id, name, kind, holder_id"
    assert target.rows(named) == source.rows(named) != []

    # Old credentials and tokens are as good as before; new tokens have the same key.
    for token in (before, key.key):
        answer = target.http.post("/oauth/introspect", data={"token": token}, auth=inspector)
        assert answer.json()["active"] is True
    after = token_of(target, source.known)
    kids = {jwt.get_unverified_header(token)["kid"] for token in (before, after)}
    assert len(kids) == 1
    assert target.http.get("/.well-known/jwks.json").json() == (
        source.http.get("/.well-known/jwks.json").json()
    )
    # And what is administered there goes on.
    target.operator = source.operator
    target.rotate_signing_key()
    target.client()


def test_the_journal_is_shipped_first(source, target):
    jti = jwt.decode(token_of(source, source.known), options={"verify_signature": False})["jti"]
    source.services.journal.seal()
    restore(target.desk, backed_up(source), force=False, progress=QUIET)
    issued = target.rows("SELECT id FROM audit_events WHERE target_id = :jti", jti=jti)
    assert len(issued) == 1


def test_one_moment_of_all_tables(source, target):
    """What is written while the backup runs is not in it, or all of it is."""
    late = []

    def meanwhile(table, _done):
        if not late:  # the first table is done, all others are still to come
            late.append(source.client(name="late"))

    file = io.BytesIO()
    back_up(source.desk, source.services.journal, file, meanwhile)
    file.seek(0)
    restore(target.desk, file, force=False, progress=QUIET)
    assert source.rows("SELECT 1 FROM clients WHERE name = 'late'")
    assert not target.rows("SELECT 1 FROM clients WHERE name = 'late'")
    assert not target.rows(
        "SELECT 1 FROM client_secrets WHERE client_id = :id", id=late[0].client_id
    )


def test_both_leave_an_event(sqlite_source, sqlite_target):
    restore(sqlite_target.desk, backed_up(sqlite_source), force=False, progress=QUIET)
    made = sqlite_source.rows("SELECT * FROM audit_events WHERE type LIKE 'backup.%'")
    read = sqlite_target.rows("SELECT * FROM audit_events WHERE type LIKE 'backup.%'")
    assert [event.type for event in made] == ["backup.created"]
    assert [event.type for event in read] == ["backup.restored"]
    assert made[0].target_id == read[0].target_id
    assert read[0].organization_id == sqlite_source.organization_id


@pytest.mark.row("S2-48")
def test_no_secret_lies_readable_in_the_file(sqlite_source):
    file = backed_up(sqlite_source).getvalue()
    assert b"clients" not in file
    assert sqlite_source.known.client_id.encode() not in file
    assert backed_up(sqlite_source).getvalue()[100:] != file[100:]  # another key each time


def test_memory_does_not_grow_with_the_rows(sqlite_source, sqlite_target):
    filler = [
        event_row(
            Event(
                id=f"evt_{number:026}",
                time=sqlite_source.desk.clock(),
                type="filler",
                actor_type="system",
                actor_id=None,
                organization_id=None,
                details={"filler": f"{number:04000}"},
            )
        )
        for number in range(5_000)
    ]
    with sqlite_source.desk.store.begin() as connection:
        chain.append(connection, filler)
    del filler
    tracemalloc.start()
    try:
        file = backed_up(sqlite_source)
        size = len(file.getvalue())
        restore(sqlite_target.desk, file, force=False, progress=QUIET)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sqlite_target.rows("SELECT count(*) FROM audit_events")[0][0] > 5_000
    assert peak - 2 * size < 8 * 1024 * 1024  # the rows alone are more


def test_every_type_of_column_is_known():
    """A column of a new type needs a way into a line of JSON and back (``app.storage.dump``)."""
    known = (Instant, String, Text, Boolean, Integer, BigInteger, Float, LargeBinary, JSON)
    for table in Base.metadata.tables.values():
        for column in table.columns:
            assert isinstance(column.type, known), column


def test_absent_values_stay_absent(source, target):
    """No value is NULL in JSON columns too, on both kinds of database."""
    restore(target.desk, backed_up(source), force=False, progress=QUIET)
    absent = "SELECT count(*) FROM clients WHERE jwks IS NULL"
    assert target.rows(absent)[0][0] == source.rows(absent)[0][0] > 0


# What is refused ----------------------------------------------------------------------------


@pytest.fixture
def file(sqlite_source):
    return backed_up(sqlite_source).getvalue()


def untouched(installation):
    counted = installation.rows(
        "SELECT (SELECT count(*) FROM audit_events), sequence FROM feed_head"
    )
    return not any(line.startswith(b"[") for line in rows(installation)) and counted[0] == (0, 0)


def refused(target, data, **also):
    with pytest.raises(Invalid) as refusal:
        restore(target.desk, io.BytesIO(data), force=False, progress=QUIET, **also)
    assert untouched(target)
    description = refusal.value.description
    assert "\n" not in description
    return description


def test_cut_off_anywhere(file, sqlite_target):
    for end in (0, 5, 16, 18, 40, len(file) // 2, len(file) - 1):
        assert "backup" in (said := refused(sqlite_target, file[:end])) or "cut off" in said


def test_altered_anywhere(file, sqlite_target):
    for at in (0, 17, 30, 60, 100, 200, len(file) // 2, len(file) - 1):
        altered = bytearray(file)
        altered[at] ^= 1
        refused(sqlite_target, bytes(altered))


def test_a_changed_head_opens_nothing(file, sqlite_target):
    assert b'"version":"' in file
    said = refused(sqlite_target, file.replace(b'"version":"0', b'"version":"9'))
    assert "altered" in said


def test_another_master_key(file, tmp_path):
    (tmp_path / "keys").mkdir()
    other = tmp_path / "keys" / "master.key"
    other.write_text("A" * 43 + "\n")
    other.chmod(0o600)
    url = f"sqlite:///{tmp_path / 'other.db'}"
    with emptied(tmp_path / "other", url, str(tmp_path / "keys")) as target:
        said = refused(target, file)
    assert "another master key" in said
    assert "KEYTURN_MASTER_KEY" in said


def test_no_backup_at_all(sqlite_target):
    assert "no backup" in refused(sqlite_target, b"SQLite format 3\0" + bytes(1000))


def test_a_newer_format(file, sqlite_target):
    said = refused(sqlite_target, file.replace(b"KEYTURN BACKUP 1", b"KEYTURN BACKUP 2"))
    assert "does not know" in said


def with_schema(installation, revision):
    with installation.desk.store.begin() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")


def test_a_newer_schema(sqlite_source, sqlite_target):
    with_schema(sqlite_source, "9999")
    said = refused(sqlite_target, backed_up(sqlite_source).getvalue())
    assert "newer than this code" in said


def test_another_schema(file, sqlite_target):
    head = sqlite_target.rows("SELECT version_num FROM alembic_version")[0][0]
    with_schema(sqlite_target, "0000")
    said = refused(sqlite_target, file)
    assert f"`flask db upgrade {head}`" in said


def test_a_database_that_holds_something(sqlite_source):
    file = backed_up(sqlite_source)
    before = rows(sqlite_source)
    with pytest.raises(Invalid, match="--force"):
        restore(sqlite_source.desk, file, force=False, progress=QUIET)
    assert rows(sqlite_source) == before


def test_a_row_that_the_other_database_cannot_hold(sqlite_source, postgres_url, tmp_path):
    sqlite_source.force_client(sqlite_source.known.client_id, name="with a \0 in it")
    keys_dir = sqlite_source.environ["KEYTURN_KEYS_DIR"]
    with emptied(tmp_path / "target", postgres_url, keys_dir) as target:
        assert "clients" in refused(target, backed_up(sqlite_source).getvalue())


# In place of what is there -------------------------------------------------------------------


def test_force_replaces_everything(source):
    file = backed_up(source)
    held = rows(source)
    source.client(name="after the backup")
    source.disable(source.known.client_id)
    restore(source.desk, file, force=True, progress=QUIET)
    assert rows(source) == held


def test_a_server_that_runs_meanwhile_starts_over(sqlite_source):
    """Nobody is served from memory by what the database does not hold any more."""
    file = backed_up(sqlite_source)
    later = sqlite_source.client(name="after the backup")
    with serving(sqlite_source) as server:
        assert server.ask(later).status_code == 200
        restore(sqlite_source.desk, file, force=True, progress=QUIET)
        eventually(lambda: server.ask(later).status_code == 401)
        assert server.ask(sqlite_source.known).status_code == 200


def test_sequences_of_postgresql_go_on(postgres_url, tmp_path):
    """A table whose ids the database counts goes on behind those that were restored."""
    from app.storage.dump import _continue_sequences, _tables

    with emptied(tmp_path / "target", postgres_url, str(tmp_path)) as target:
        with target.desk.store.begin() as connection:
            connection.exec_driver_sql("DROP TABLE changes")
            connection.exec_driver_sql("CREATE TABLE counted (id BIGSERIAL PRIMARY KEY, n INT)")
            connection.exec_driver_sql("INSERT INTO counted VALUES (41, 1)")
            _continue_sequences(connection, _tables(connection, ["counted"]))
            connection.exec_driver_sql("INSERT INTO counted (n) VALUES (2)")
        assert [row.id for row in target.rows("SELECT id FROM counted ORDER BY n")] == [41, 42]


# From a terminal -----------------------------------------------------------------------------


def test_on_the_command_line(sqlite_source, sqlite_target, tmp_path):
    name = tmp_path / "keyturn.backup"
    made = flask(sqlite_source, "backup", str(name), "--json")
    assert made.exit_code == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["bytes"] == name.stat().st_size
    assert stat.S_IMODE(name.stat().st_mode) == 0o600
    assert made.stderr == ""  # how far it is, only people are told

    again = flask(sqlite_source, "backup", str(name))
    assert (again.exit_code, again.stdout) == (1, "")
    assert "exists already" in again.stderr

    read = flask(sqlite_target, "restore", str(name), "--json")
    assert read.exit_code == 0, read.stderr
    assert json.loads(read.stdout)["rows"] == told["rows"]

    twice = flask(sqlite_target, "restore", str(name))
    assert (twice.exit_code, twice.stdout) == (1, "")
    assert twice.stderr.count("\n") == 1
    assert "--force" in twice.stderr
    assert flask(sqlite_target, "restore", str(name), "--force").exit_code == 0


def test_through_a_pipe(sqlite_source, sqlite_target):
    made = flask(sqlite_source, "backup", "-")
    assert made.exit_code == 0, made.stderr
    read = flask(sqlite_target, "restore", "-", input=made.stdout_bytes)
    assert read.exit_code == 0, read.stderr
    assert rows(sqlite_target) == rows(sqlite_source)


def test_a_backup_that_fails_leaves_no_file(sqlite_source, tmp_path):
    where = tmp_path / "backups"
    where.mkdir()
    key = tmp_path / "source" / "keys" / "master.key"
    key.rename(tmp_path / "lost")
    failed = flask(sqlite_source, "backup", str(where / "file"))
    assert failed.exit_code == 1
    assert "There is no master key" in failed.stderr
    assert not list(where.iterdir())
    failed = flask(sqlite_source, "backup", str(tmp_path / "no" / "such" / "file"))
    assert failed.exit_code == 1
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_the_database_is_away(sqlite_source, tmp_path, command):
    file = tmp_path / "file"
    if command == "restore":
        file.write_bytes(backed_up(sqlite_source).getvalue())
    away = {"KEYTURN_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:9/none"}
    failed = process(sqlite_source, command, str(file), **away)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "The database cannot be reached" in failed.stderr
    assert failed.stderr.count("\n") == 1
