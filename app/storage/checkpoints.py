"""Checkpoints in the database: which chains are due for one, and writing it down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ColumnElement, and_, bindparam, insert, or_, select, update
from sqlalchemy.engine import Connection

from app.storage.chain import STREAMS
from app.storage.streams import CHECKPOINTS, Stream


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement of where a chain stood."""

    stream: str
    number: int
    """From 1, without gaps."""
    sequence: int
    """Rows up to there, those that retention has removed included."""
    head_hash: bytes
    time: datetime
    kid: str
    jws: str


def any_due(connection: Connection, *, before: datetime, kid: str) -> bool:
    """Whether a chain has moved since its last checkpoint, made before then; a plain reading."""
    return connection.scalar(select(STREAMS.c.stream).where(_due(before, kid)).limit(1)) is not None


def take_due(
    connection: Connection, after: str, limit: int, *, before: datetime, kid: str
) -> list[Stream]:
    """The next chains (by name) that are due, held until the transaction ends: whoever comes
    second finds that they are not due any more."""
    rows = connection.execute(
        select(*(STREAMS.c[name] for name in Stream.__slots__))
        .where(STREAMS.c.stream > after, _due(before, kid))
        .order_by(STREAMS.c.stream)  # as ``chain.lock`` takes them
        .limit(limit)
        .with_for_update()
    )
    return [Stream(*row) for row in rows]


def _due(before: datetime, kid: str) -> ColumnElement[bool]:
    columns = STREAMS.c
    moved = and_(
        columns.sequence > columns.checkpoint_sequence,
        or_(columns.checkpoint_at.is_(None), columns.checkpoint_at <= before),
    )
    # A chain that rests is signed once more when the key changes: else nobody could check its last
    # checkpoint any more once the old key has left the JWKS.
    return or_(moved, columns.checkpoint_kid != kid)


def write(connection: Connection, made: Iterable[Checkpoint]) -> None:
    """Keep these checkpoints of chains that are held."""
    checkpoints = list(made)
    connection.execute(
        insert(CHECKPOINTS),
        [
            {
                "stream": one.stream,
                "number": one.number,
                "sequence": one.sequence,
                "time": one.time,
                "jws": one.jws,
            }
            for one in checkpoints
        ],
    )
    connection.execute(
        update(STREAMS)
        .where(STREAMS.c.stream == bindparam("of"))
        .values(
            checkpoint=bindparam("number"),
            checkpoint_hash=bindparam("digest"),
            checkpoint_sequence=bindparam("about"),
            checkpoint_kid=bindparam("signed_by"),
            checkpoint_at=bindparam("at", type_=STREAMS.c.checkpoint_at.type),
        ),
        [
            {
                "of": one.stream,
                "number": one.number,
                "digest": sha256(one.jws.encode()).digest(),
                "about": one.sequence,
                "signed_by": one.kid,
                "at": one.time,
            }
            for one in checkpoints
        ],
    )
