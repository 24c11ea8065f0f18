"""The chains as they are read: by whoever exports them. No lock is taken and none is needed, for
all rows up to an end that was seen are committed (``app.storage.chain``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.engine import Connection, Row

from app.storage.canonical import streams_of
from app.storage.chain import EVENTS, STREAMS
from app.storage.models import AuditCheckpointRow

CHECKPOINTS: Table = AuditCheckpointRow.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Stream:
    """Where a chain begins and ends; numbers of rows and of checkpoints."""

    stream: str
    sequence: int
    head_hash: bytes
    kept_after: int
    first_checkpoint: int
    checkpoint: int
    checkpoint_hash: bytes


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """How far a chain reaches, and how far a signature vouches for it; numbers of rows."""

    stream: str
    sequence: int
    kept_after: int
    """Retention has removed the rows up to this one."""
    checkpoint_sequence: int
    """Signed up to this row; 0: not yet."""
    checkpoint_at: datetime | None
    checkpoint_kid: str | None


def listed(connection: Connection, home: str | None = None) -> list[Stream]:
    """Every chain, or this one and those of the token events that belong to it; sorted."""
    return [Stream(*row) for row in _read(connection, Stream.__slots__, home)]


def ends(connection: Connection, home: str) -> list[ChainEnd]:
    """The same for those who want to know how they stand."""
    return [ChainEnd(*row) for row in _read(connection, ChainEnd.__slots__, home)]


def _read(connection: Connection, names: Iterable[str], home: str | None) -> Iterable[Any]:
    statement = select(*(STREAMS.c[name] for name in names)).order_by(STREAMS.c.stream)
    if home is not None:
        # By their names, which the primary key finds: there are as many rows as organizations.
        statement = statement.where(STREAMS.c.stream.in_(streams_of(home)))
    return connection.execute(statement)


def kept_after(connection: Connection, stream: str) -> int | None:
    """Up to which row retention has removed this chain; None: there is no such chain any more."""
    return connection.scalar(select(STREAMS.c.kept_after).where(STREAMS.c.stream == stream))


def rows_between(
    connection: Connection, stream: str, after: int, last: int, limit: int
) -> list[Mapping[str, Any]]:
    """The next rows behind ``after``, in order, as ``app.storage.canonical`` takes them."""
    rows = connection.execute(
        select(EVENTS)
        .where(EVENTS.c.stream == stream, EVENTS.c.sequence > after, EVENTS.c.sequence <= last)
        .order_by(EVENTS.c.sequence)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]


def checkpoints_between(
    connection: Connection, stream: str, after: int, last: int, limit: int
) -> list[Row[Any]]:
    """The next checkpoints behind number ``after``: ``number``, ``sequence``, ``jws``."""
    columns = CHECKPOINTS.c
    statement = (
        select(columns.number, columns.sequence, columns.jws)
        .where(columns.stream == stream, columns.number > after, columns.number <= last)
        .order_by(columns.number)
        .limit(limit)
    )
    return list(connection.execute(statement))


def first_checkpoint_about(connection: Connection, stream: Stream, sequence: int) -> int:
    """Number of the first checkpoint about this row or one behind it; one past the last if none."""
    columns = CHECKPOINTS.c
    found = connection.scalar(
        select(columns.number)
        .where(columns.stream == stream.stream, columns.sequence >= sequence)
        .where(columns.number.between(stream.first_checkpoint, stream.checkpoint))
        .order_by(columns.number)
        .limit(1)
    )
    return stream.checkpoint + 1 if found is None else int(found)
