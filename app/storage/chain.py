"""The chains of audit events: whoever appends holds the end of the stream until it commits.

An event comes as it is hashed: each field of ``Event`` by its name, the time as ``instant`` has it.
A stream's row in ``audit_streams`` is its end. ``lock`` takes the rows in the order of their names,
so no two writers wait for each other. An administrative act appends behind all that it changes, but
for the feed; token events have streams of their own, one for each lane (ADR 9).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import String, Table, any_, bindparam, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.errors import Unavailable
from app.storage.canonical import hash_of, require_canonical, stream_of
from app.storage.models import AuditEventRow, AuditStreamRow
from app.storage.upsert import upsert

EVENTS: Table = AuditEventRow.__table__  # type: ignore[assignment]
STREAMS: Table = AuditStreamRow.__table__  # type: ignore[assignment]

MANY = 20
"""Rows from which on PostgreSQL has them by COPY, which takes half the time of prepared inserts."""

Heads = Mapping[str, Row[Any]]
"""By stream: its row of ``audit_streams``."""


def lock(connection: Connection, streams: Iterable[str]) -> Heads:
    """Hold the ends of these streams until the transaction ends; those that are new are made.

    An upsert and not ``SELECT … FOR UPDATE``: rows that exist and rows that do not are taken by
    one statement in one order.
    """
    statement = (
        upsert(connection, STREAMS)
        .on_conflict_do_update(
            index_elements=[STREAMS.c.stream], set_={"sequence": STREAMS.c.sequence}
        )
        .returning(*STREAMS.c)
    )
    names = sorted(set(streams))
    rows = connection.execute(statement, [{"stream": name} for name in names])
    return {row.stream: row for row in rows}


def append(connection: Connection, events: Sequence[Mapping[str, Any]]) -> None:
    """Write administrative acts, as ``app.storage.store.event_row`` has them, at the ends of their
    streams. Raises ValueError for one that no canonical form exists of."""
    for event in events:
        require_canonical(event["details"])
    placed = [(stream_of(event["organization_id"]), event) for event in events]
    _append(connection, placed, lock(connection, [stream for stream, _ in placed]))


def append_once(
    connection: Connection, events: Iterable[Mapping[str, Any]], lane: int
) -> list[Mapping[str, Any]]:
    """Write token events, known to be canonical, at the ends of the streams of this lane, but for
    those that are there already (by their ids); answers what was written. Raises Conflict when
    another lane is just writing one of them."""
    placed = {event["id"]: (stream_of(event["organization_id"], lane), event) for event in events}
    heads = lock(connection, [stream for stream, _ in placed.values()])
    # Asked under the lock: nobody else of this lane can be about to write one of them.
    for known in _known(connection, list(placed)):
        del placed[known]
    if placed:
        _append(connection, list(placed.values()), heads)
    return [event for _, event in placed.values()]


def _known(connection: Connection, ids: list[str]) -> set[str]:
    # One parameter for all: to write a thousand into a statement takes ten milliseconds.
    if connection.dialect.name == "sqlite":
        statement = text(
            "SELECT id FROM audit_events WHERE id IN (SELECT value FROM json_each(:i))"
        )
        return set(connection.scalars(statement, {"i": json.dumps(ids)}))
    wanted = bindparam("i", type_=postgresql.ARRAY(String))
    return set(
        connection.scalars(select(EVENTS.c.id).where(EVENTS.c.id == any_(wanted)), {"i": ids})
    )


def _append(
    connection: Connection, placed: Sequence[tuple[str, Mapping[str, Any]]], heads: Heads
) -> None:
    ends = {stream: (row.sequence, row.head_hash) for stream, row in heads.items()}
    time_of = _sqlite_time if connection.dialect.name == "sqlite" else str
    rows: list[tuple[Any, ...]] = []
    for stream, event in placed:
        sequence, previous = ends[stream]
        sequence += 1
        hashed = {
            **event, "stream": stream, "sequence": sequence, "previous_hash": previous.hex(),
        }  # fmt: skip
        digest = hash_of(hashed)
        ends[stream] = sequence, digest
        details = orjson.dumps(event["details"]).decode()
        rows.append((*_AS_HASHED(hashed), time_of(event["time"]), details, previous, digest))
    try:
        _insert(connection, rows)
    except IntegrityError as error:
        if _is_misplaced(error):
            raise Unavailable(
                detail="audit: the end of a chain is not where audit_streams has it; was the "
                "database changed by hand? See `flask audit verify`"
            ) from error
        raise
    connection.execute(
        update(STREAMS)
        .where(STREAMS.c.stream == bindparam("end_of"))
        .values(sequence=bindparam("end"), head_hash=bindparam("end_hash")),
        [
            {"end_of": stream, "end": sequence, "end_hash": digest}
            for stream, (sequence, digest) in ends.items()
        ],
    )


def _is_misplaced(error: IntegrityError) -> bool:
    diagnosis = getattr(error.orig, "diag", None)
    where = str(error.orig) if diagnosis is None else diagnosis.constraint_name or ""
    return "stream" in where and "sequence" in where


def _insert(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    """By the driver: SQLAlchemy's work for a row costs as much as SQLite's own."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_INSERT.format(", ".join("?" * len(_COLUMNS))), rows)
    elif len(rows) < MANY:
        places = ", ".join(["%s"] * len(_COLUMNS))
        connection.exec_driver_sql(_INSERT.format(places), rows)
    else:
        _copy(connection, rows)


def _copy(connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
    driver: Any = connection.connection
    error_class = connection.dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(row)
    except error_class as error:  # SQLAlchemy does not see it
        raise DBAPIError.instance(
            _COPY, None, error, error_class, dialect=connection.dialect
        ) from error


def _sqlite_time(instant: str) -> str:
    """As SQLAlchemy writes times there."""
    return f"{instant[:10]} {instant[11:-1]}"


_REWRITTEN = ("time", "details", "previous_hash", "hash")
_NAMES = [column.name for column in EVENTS.c if column.name not in _REWRITTEN]
_AS_HASHED = itemgetter(*_NAMES)
_COLUMNS = (*_NAMES, *_REWRITTEN)
_COPY = f"COPY {EVENTS.name} ({', '.join(_COLUMNS)}) FROM STDIN"
_INSERT = f"INSERT INTO {EVENTS.name} ({', '.join(_COLUMNS)}) VALUES ({{}})"  # noqa: S608
