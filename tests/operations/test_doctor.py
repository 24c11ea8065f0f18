"""``flask doctor``: finds what is wrong and says what to do, whatever else is broken."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from app.admin.doctor import report
from app.errors import Unavailable
from app.storage import probes
from tests.operations.conftest import emptied, flask, process
from tests.support.installation import Installation, installed

EVERY_CHECK = {
    "settings",
    "issuer",
    "master key",
    "keys directory",
    "journal directory",
    "disk",
    "journal",
    "database",
    "clock",
    "schema",
    "keyring",
    "signing keys",
    "feed",
    "token",
}


def test_client_keys_that_cannot_be_had(fresh_installation):
    assert "client keys" not in findings(fresh_installation)
    client = fresh_installation.client(
        token_endpoint_auth_method="private_key_jwt", jwks_uri="https://127.0.0.1/jwks"
    )
    found = findings(fresh_installation)["client keys"]
    assert client.client_id in found.message
    assert "KEYTURN_JWKS_NETWORKS" in found.action


def findings(installation, desk=None):
    made = report(desk or installation.desk, installation.services.journal)
    return {one.check: one for one in made.findings}


def failures(installation, desk=None):
    return {n for n, one in findings(installation, desk).items() if one.status == "fail"}


@pytest.fixture(scope="module")
def house(installation):
    """A healthy one, for tests that do not break it."""
    return installation


def test_a_healthy_installation(any_installation):
    found = findings(any_installation)
    assert set(found) - {"database directory"} == EVERY_CHECK
    assert {one.status for one in found.values()} <= {"pass", "warn"}
    assert {n for n, one in found.items() if one.status == "warn"} <= {
        "issuer",  # loopback
        "database directory",  # pytest's directories are for all to see
    }
    assert all(one.action for one in found.values() if one.status != "pass")
    if any_installation.database_url.startswith("postgresql"):
        assert "connections used" in found["database"].message
        assert "ahead" in found["clock"].message or "behind" in found["clock"].message


def test_it_changes_nothing(house):
    before = house.rows("SELECT count(*) FROM audit_events")
    findings(house)
    house.services.shipper.ship_now()
    assert house.rows("SELECT count(*) FROM audit_events") == before


def test_an_https_issuer(tmp_path):
    with installed(tmp_path / "https", KEYTURN_ISSUER="https://auth.example.com") as made:
        assert findings(made)["issuer"].status == "pass"


def test_proxies_that_are_everybody(tmp_path):
    with installed(tmp_path / "open", KEYTURN_TRUSTED_PROXIES="0.0.0.0/0") as made:
        assert findings(made)["settings"].status == "warn"


@pytest.mark.parametrize(("hours", "status"), [(0, "pass"), (1, "fail"), (-1, "fail")])
def test_clocks_that_are_apart(postgres_url, tmp_path, hours, status):
    with emptied(tmp_path / "target", postgres_url, str(tmp_path)) as made:
        clock = made.services.store.clock
        made.services.store.clock = lambda: clock() + timedelta(hours=hours)
        found = findings(made)["clock"]
    assert found.status == status
    if hours:
        assert ("behind" if hours > 0 else "ahead") in found.message


# Keys ---------------------------------------------------------------------------------------


def test_no_master_key(fresh_installation):
    (fresh_installation.directory / "keys" / "master.key").unlink()
    begun = Installation(fresh_installation.directory, fresh_installation.database_url, {})
    found = findings(begun)
    begun.close()
    assert found["master key"].status == "fail"
    assert "flask bootstrap" in found["master key"].action
    assert found["token"].status == "fail"


def test_a_master_key_for_all_to_read(fresh_installation):
    key = fresh_installation.directory / "keys" / "master.key"
    key.chmod(0o644)
    found = findings(fresh_installation)["master key"]
    assert (found.status, found.action) == ("fail", f"run `chmod 600 {key}`")


def test_another_master_key(fresh_installation):
    (fresh_installation.directory / "keys" / "master.key").write_text("A" * 43)
    found = findings(fresh_installation)
    assert found["master key"].status == "pass"
    assert found["keyring"].status == "fail"
    assert "another master key" in found["keyring"].message
    assert found["keyring"].action.startswith("restore")


def test_no_next_key(fresh_installation):
    with fresh_installation.desk.store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM signing_keys WHERE stage = 'next'")
    found = findings(fresh_installation)["signing keys"]
    assert found.status == "fail"
    assert "no next key" in found.message


def test_a_rotation_that_nobody_made(house):
    later = replace(house.desk, clock=lambda: house.services.store.clock() + timedelta(days=91))
    found = findings(house, later)["signing keys"]
    assert found.status == "warn"
    assert "flask signing-key rotate" in found.action


# This machine -------------------------------------------------------------------------------


def test_directories_that_others_can_write_to(fresh_installation):
    (fresh_installation.directory / "journal").mkdir()
    (fresh_installation.directory / "journal").chmod(0o770)
    (fresh_installation.directory / "keys").chmod(0o777)
    assert failures(fresh_installation) == {"keys directory", "journal directory"}


def test_a_journal_directory_that_others_can_read(fresh_installation):
    (fresh_installation.directory / "journal").mkdir(mode=0o755)
    assert findings(fresh_installation)["journal directory"].status == "warn"


def test_a_journal_directory_that_is_a_file(fresh_installation):
    (fresh_installation.directory / "journal").write_text("")
    assert failures(fresh_installation) == {"journal directory"}


@pytest.mark.parametrize(
    ("free", "status"), [(10 << 20, "fail"), (100 << 20, "warn"), (1 << 40, "pass")]
)
def test_a_disk_that_is_nearly_full(house, monkeypatch, free, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert findings(house)["disk"].status == status


def test_a_journal_that_nobody_ships(fresh_installation):
    directory = fresh_installation.journal_dir
    directory.mkdir(mode=0o700)
    segment = directory / f"{time.time_ns() - 90 * 10**9}-1-0.jsonl"
    segment.write_text("{}\n")
    found = findings(fresh_installation)["journal"]
    assert (found.status, "the oldest since 90 s" in found.message) == ("warn", True)


def test_a_journal_that_is_nearly_full(tmp_path):
    with installed(tmp_path / "full", KEYTURN_JOURNAL_LIMIT=str(1 << 20)) as made:
        made.journal_dir.mkdir(mode=0o700)
        (made.journal_dir / f"{time.time_ns()}-1-0.jsonl").write_bytes(bytes(900_000))
        assert failures(made) == {"journal"}
        shutil.rmtree(made.journal_dir)


def test_an_empty_segment_waits_for_nothing(fresh_installation):
    journal = fresh_installation.services.journal
    journal.append(b"")
    assert journal.segments() == {}
    assert "oldest" not in findings(fresh_installation)["journal"].message


def test_lines_that_were_set_aside(fresh_installation):
    fresh_installation.journal_dir.mkdir(mode=0o700)
    (fresh_installation.journal_dir / "rejected.txt").write_text("{")
    assert findings(fresh_installation)["journal"].status == "warn"


# The database -------------------------------------------------------------------------------


@pytest.fixture
def away(tmp_path):
    """An installation whose database does not answer."""
    url = "postgresql+psycopg://nobody@127.0.0.1:9/none"
    made = Installation(tmp_path, url, {"KEYTURN_DATABASE_TIMEOUT": "1"})
    yield made
    made.services.store.engine.dispose()


def test_the_database_is_away(away):
    found = findings(away)
    assert found["database"].status == "fail"
    assert "signing keys" in found["database"].action
    assert "KEYTURN_DATABASE_URL" in found["database"].action
    # What does not need it is looked at all the same.
    assert {"settings", "issuer", "master key", "disk", "journal"} <= set(found)
    assert not {"schema", "token"} & set(found)


def test_no_database_file(tmp_path):
    made = Installation(tmp_path, f"sqlite:///{tmp_path / 'none.db'}", {})
    assert findings(made)["database"].status == "fail"
    assert not (tmp_path / "none.db").exists()


def test_a_database_without_tables(postgres_url, tmp_path):
    made = Installation(tmp_path, postgres_url, {})
    found = findings(made)["schema"]
    assert found.status == "fail"
    assert "flask bootstrap" in found.action
    made.services.store.engine.dispose()


def test_a_database_of_another_version(fresh_installation):
    with fresh_installation.desk.store.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE alembic_version SET version_num = '9999', oldest_code = '9999'"
        )
    found = findings(fresh_installation)["schema"]
    assert (found.status, "newer" in found.message) == ("fail", True)


def test_a_slow_database(house, monkeypatch):
    monkeypatch.setattr(probes, "database", lambda _: probes.Reached("postgresql", 0.2, 0.0))
    assert findings(house)["database"].status == "warn"


def test_a_database_with_no_connection_to_spare(house, monkeypatch):
    monkeypatch.setattr(probes, "database", lambda _: probes.Reached("postgresql", 0.001, 0.0))
    monkeypatch.setattr(probes, "connections", lambda _: probes.Connections(96, 100))
    found = findings(house)["database"]
    assert (found.status, "max_connections" in found.action) == ("warn", True)


def test_a_feed_that_was_set_back(fresh_installation):
    with fresh_installation.desk.store.begin() as connection:
        connection.exec_driver_sql("UPDATE feed_head SET sequence = 1")
    assert failures(fresh_installation) == {"feed"}


def test_redis_is_away(tmp_path):
    with installed(tmp_path / "redis", KEYTURN_REDIS_URL="redis://127.0.0.1:9/0") as made:
        found = findings(made)
    assert found["redis"].status == "fail"
    assert "each node counts for itself" in found["redis"].action
    assert found["token"].status == "pass"


def test_a_reading_that_fails_halfway(house, monkeypatch):
    def away(_store):
        raise Unavailable(detail="database: gone")

    monkeypatch.setattr(probes, "last_change", away)
    found = findings(house)
    assert found["feed"].status == "fail"
    assert found["token"].status == "pass"


# From a terminal ----------------------------------------------------------------------------


def test_on_the_command_line(house):
    told = flask(house, "doctor")
    assert told.exit_code == 0
    assert told.stdout.startswith("pass  settings")
    told = flask(house, "doctor", "--json")
    made = json.loads(told.stdout)
    assert made["ok"] is True
    assert {tuple(one) for one in made["findings"]} == {("check", "status", "message", "action")}


def test_its_exit_status(fresh_installation):
    (fresh_installation.directory / "keys" / "master.key").unlink()
    told = flask(fresh_installation, "doctor", "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["ok"] is False


def test_a_setting_that_cannot_be(house):
    told = process(house, "doctor", KEYTURN_TOKEN_TTL="soon")
    assert told.returncode == 1
    assert "KEYTURN_TOKEN_TTL" in told.stderr
    assert "Traceback" not in told.stderr


def test_no_secret_is_told(tmp_path):
    secret = "sehr-geheim"
    with installed(
        tmp_path / "secret",
        KEYTURN_REDIS_URL=f"redis://:{secret}@127.0.0.1:9/0",
        KEYTURN_METRICS_TOKEN=f"{secret}-{secret}",
    ) as made:
        key = (made.directory / "keys" / "master.key").read_text().strip()
        told = flask(made, "doctor", "--json").stdout
    assert secret not in told
    assert key not in told
