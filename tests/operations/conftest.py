"""Installations to back up, and empty ones to restore into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.storage.dump import dump, snapshot
from tests.support import forked
from tests.support.installation import Installation, installed, process_environ
from tests.support.migrated import migrate


def flask(installation: Installation, *arguments: str, **also: Any) -> Any:
    """A command, in this process: ``exit_code``, ``stdout``, ``stderr``, ``stdout_bytes``."""
    with installation.app.app_context():  # as Flask's own entry does
        result = installation.app.test_cli_runner().invoke(args=list(arguments), **also)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def process(installation: Installation, *arguments: str, **environ: str) -> Any:
    """The same in a process of its own, as an operator runs it."""
    return forked.run(arguments, process_environ({**installation.environ, **environ}))


def rows(installation: Installation) -> list[bytes]:
    """Everything it holds, but for what backup and restore say of themselves, which also moves the
    ends of the chains of events."""
    with snapshot(installation.services.store) as connection:
        lines = list(dump(connection, lambda *_: None))
    kept, is_end = [], False
    for line in lines:
        if line.startswith(b'{"table":'):
            is_end = line.startswith(b'{"table":"audit_streams"')
        if not is_end and b'"backup.' not in line:
            kept.append(line)
    return kept


@contextmanager
def emptied(directory: Path, url: str, keys_dir: str) -> Iterator[Installation]:
    """A database with tables and nothing in them, beside the master key of another one."""
    directory.mkdir(parents=True, exist_ok=True)
    made = Installation(directory, url, {"KEYTURN_KEYS_DIR": keys_dir})
    try:
        migrate(made.app, made.services.store.engine)
        yield made
    finally:
        made.close()


def fill(installation: Installation) -> Any:
    """Something of everything, every type of column with and without a value; a client."""
    elsewhere = installation.organization("Zweigstelle Ü", scopes=["rooms:read"])
    installation.client(["rooms:read"], organization=elsewhere, token_ttl=120)
    installation.preset("readers", ["bookings:read"])
    installation.resource("https://bookings.example", scopes=["bookings:*"])
    client = installation.client(["bookings:read", "bookings:write"])
    installation.secret(client.client_id, note="second")
    disabled = installation.client()
    installation.disable(disabled.client_id)
    installation.api_key(allowed_ips=["192.0.2.0/24"], expires_in=3600)
    installation.revoke_key(installation.api_key().id)
    installation.rotate_signing_key()
    return client


@pytest.fixture
def source(any_installation):
    """An installation with something of everything, on each kind of database."""
    any_installation.known = fill(any_installation)
    return any_installation


@pytest.fixture
def sqlite_source(tmp_path):
    with installed(tmp_path / "source") as made:
        made.known = fill(made)
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request, tmp_path):
    """An empty database of each kind; asks for the master key of ``source`` where that is used."""
    url = f"sqlite:///{tmp_path / 'target.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create()
    with emptied(tmp_path / "target", url, str(tmp_path / "any" / "keys")) as made:
        yield made


@pytest.fixture
def sqlite_target(tmp_path, sqlite_source):
    keys_dir = sqlite_source.environ["KEYTURN_KEYS_DIR"]
    with emptied(tmp_path / "target", f"sqlite:///{tmp_path / 'target.db'}", keys_dir) as made:
        yield made
