"""Every row as a line of JSON, and back into either engine: what a backup holds.

Tables and columns are taken from the database as it is, not from the models: a backup of an
older schema goes into a database of that schema, and is brought up to date by its migrations.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from app.errors import Invalid
from app.storage.models import Base, ChangeRow, FeedHeadRow
from app.storage.models.base import Instant
from app.storage.store import FEED, Store, Transaction

Progress = Callable[[str, int], None]
"""Told a table's name and how many of its rows are done."""

BATCH = 500
FLEETING = frozenset({"feed_head", "changes", "counters", "sessions", "namings"})
"""The feed and the counters belong to a database that runs, not to what it holds; a session that
has ended since must not come back; and what names what, the database writes by itself."""


@contextmanager
def snapshot(store: Store) -> Iterator[Connection]:
    """A connection on which time stands still: one moment for all tables. Raises Unavailable."""
    with store.connect() as connection:
        if connection.dialect.name != "sqlite":  # SQLite's transactions are snapshots by nature
            connection.execution_options(isolation_level="REPEATABLE READ")
        _take_your_time(connection)
        yield connection


def dump(connection: Connection, progress: Progress) -> Iterator[bytes]:
    """The rows, table by table, parents before their children."""
    for table in _tables(connection, Base.metadata.tables):
        yield _line({"table": table.name, "columns": [column.name for column in table.columns]})
        statement = select(table).order_by(*table.primary_key.columns)
        done = 0
        # Read from the server as it goes on, not all at once.
        for row in connection.execute(statement, execution_options={"yield_per": BATCH}):
            yield _line([_encoded(value) for value in row])
            done += 1
            if done % 10_000 == 0:
                progress(table.name, done)
        progress(table.name, done)


def load(work: Transaction, lines: Iterable[bytes], *, replace: bool, progress: Progress) -> int:
    """Write what was dumped; answers the number of rows. Raises Invalid; ``work`` is then void.

    Without ``replace`` the database must be empty. Whoever follows the feed starts over.
    """
    connection = work.session.connection()
    _take_your_time(connection)
    tables = {table.name: table for table in _tables(connection, Base.metadata.tables)}
    if replace:
        for table in reversed(tables.values()):
            connection.execute(delete(table))
    elif any(connection.execute(select(table).limit(1)).first() for table in tables.values()):
        raise Invalid(
            "The database is not empty: restore into a new one (`flask db upgrade` makes its "
            "tables), or replace all it holds with --force"
        )
    done = dict.fromkeys(tables, 0)
    for table, rows in _batches(tables, lines):
        if rows:
            _insert(connection, table, rows)
        done[table.name] += len(rows)
        progress(table.name, done[table.name])
    _continue_sequences(connection, tables.values())
    _break_trail(work)
    return sum(done.values())


def _tables(connection: Connection, names: Collection[str]) -> list[Table]:
    """Our tables as this database has them, parents first."""
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: name in names and name not in FLEETING)
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, DateTime):
                column.type = Instant()
            elif isinstance(column.type, JSON):
                column.type.none_as_null = bool(column.nullable)
    return metadata.sorted_tables


def _batches(
    tables: Mapping[str, Table], lines: Iterable[bytes]
) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    table: Table | None = None
    columns: list[str] = []
    rows: list[dict[str, Any]] = []
    for line in lines:
        value = orjson.loads(line)
        if isinstance(value, dict):
            if table is not None:
                yield table, rows
            table, columns, rows = tables.get(value["table"]), value["columns"], []
            if table is None or not set(columns) <= set(table.columns.keys()):
                raise Invalid(f"This database has no table {value['table']} like the backup's")
            continue
        if table is None:
            raise Invalid("The backup does not begin with a table")
        rows.append({n: _decoded(table, n, v) for n, v in zip(columns, value, strict=True)})
        if len(rows) == BATCH:
            yield table, rows
            rows = []
    if table is not None:
        yield table, rows


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    try:
        connection.execute(insert(table), rows)
    except OperationalError:
        raise
    except DBAPIError as error:
        # SQLite takes what PostgreSQL does not: a NUL in a text, more than a column's length.
        reason = str(error.orig).splitlines()[0]
        raise Invalid(f"A row of {table.name} does not fit into this database: {reason}") from error


def _break_trail(work: Transaction) -> None:
    """Leave a gap in the feed: who follows it finds the trail lost, and drops all it holds."""
    work.session.execute(delete(ChangeRow))
    work.session.execute(
        update(FeedHeadRow).where(FeedHeadRow.id == FEED).values(sequence=FeedHeadRow.sequence + 1)
    )
    work.changed("database", "restored")


def _continue_sequences(connection: Connection, tables: Iterable[Table]) -> None:
    """PostgreSQL counts on from where it was, not from what was inserted."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        for column in table.primary_key.columns:
            if column.type.python_type is not int:
                continue
            named = select(func.pg_get_serial_sequence(table.name, column.name))
            sequence = connection.execute(named).scalar()
            highest = connection.execute(select(func.max(column))).scalar()
            if sequence is not None and highest is not None:
                connection.execute(select(func.setval(sequence, highest)))


def _take_your_time(connection: Connection) -> None:
    """Requests are bounded; this takes as long as there are rows."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))


def _line(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATETIME)


def _encoded(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return b64encode(value).decode("ascii")
    return value


def _decoded(table: Table, name: str, value: Any) -> Any:
    kind = table.columns[name].type
    if value is None:
        return None
    if isinstance(kind, Instant):
        return datetime.fromisoformat(value)
    if isinstance(kind, LargeBinary):
        return b64decode(value)
    return value
