"""The database's engine: where it is, and that no wait for it is without an end."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

from app.settings import Settings

MIGRATING = {
    "postgresql": "SET statement_timeout = 0; SET lock_timeout = '60s'",
    "sqlite": "PRAGMA busy_timeout = 60000",
}
"""A migration may take longer than a request may wait, and another node's is waited for."""


def database_uri(settings: Settings) -> str:
    """The database's URL; a relative SQLite path is relative to where the process was started
    (Flask-SQLAlchemy would take its instance folder)."""
    scheme, separator, path = settings.database_url.partition("sqlite:///")
    if not separator:
        return settings.database_url
    return f"{scheme}{separator}{Path(path).absolute()}"


def engine_options(settings: Settings) -> dict[str, Any]:
    """A bounded pool, and waits that the database ends; where it cannot, see ``prepare``."""
    seconds = settings.database_timeout.total_seconds()
    options: dict[str, Any] = {
        "pool_pre_ping": True,
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
    if settings.database_url.startswith("sqlite"):
        options["connect_args"] = {"timeout": seconds}
    else:
        options |= {"pool_size": settings.database_pool, "max_overflow": 0, "pool_timeout": seconds}
        options["connect_args"] = {
            "options": f"-c statement_timeout={seconds * 1000:.0f}",
        }
    return options


def prepare(engine: Engine, settings: Settings) -> None:
    """What a new connection needs to be told."""
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, settings.database_timeout.total_seconds())
    else:
        from app.storage.bounded import connect_bounded

        connect_bounded(engine, settings.database_timeout.total_seconds())


def wait_for_migrations(connection: Connection) -> None:
    """Let this one connection wait for as long as a migration takes; it leaves the pool for it."""
    driver: Any = connection.connection.driver_connection
    connection.detach()
    if connection.dialect.name == "postgresql":
        driver.patience = None
    driver.execute(MIGRATING[connection.dialect.name])
    driver.commit()


def make_room(connection: Connection) -> None:
    """Let this connection keep in memory what a batch of some thousand rows changes. Elsewhere
    than in SQLite the server has its own."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA cache_size=-16000")  # KiB; 2,000 if nothing is said


def _prepare_sqlite(engine: Engine, patience: float) -> None:
    """Readers beside one writer (WAL), and write transactions that lock when they begin.

    sqlite3's own BEGIN is deferred: two writers that first read would both fail to upgrade. The
    folder is made when the first connection is: commands that need no database leave none.
    """

    @event.listens_for(engine, "do_connect")
    def on_do_connect(_dialect: Any, _record: Any, arguments: list[Any], _named: Any) -> None:
        Path(arguments[0]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        _keep_a_log(cursor, patience)
        cursor.execute("PRAGMA foreign_keys=ON")
        # Pages of the log, 16 MB, until it is copied into the file; each once, however often it was
        # written. A busy server fills a log of the usual 1,000 several times a second.
        cursor.execute("PRAGMA wal_autocheckpoint=4000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _keep_a_log(cursor: Any, patience: float) -> None:
    """Of several that are the first to open a file, SQLite refuses all but one at once, however
    long they are ready to wait."""
    until = time.monotonic() + patience
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(0.01)
