"""Take the oldest rows off the chains, up to a checkpoint that is kept.

First the boundary is moved, in one short transaction; from then on the rows below it are not part
of the chain any more. Then they are removed, some at a time, by whoever comes by.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Table, delete, exists, func, or_, select, update

from app.records import Actor
from app.storage import chain
from app.storage.canonical import INSTALLATION, home_of
from app.storage.chain import EVENTS, STREAMS
from app.storage.store import Store
from app.storage.streams import CHECKPOINTS

AT_ONCE = 5000
"""Rows that one statement removes."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """A checkpoint up to which a chain could be taken off."""

    stream: str
    checkpoint: int
    sequence: int


def boundaries(store: Store, before: datetime) -> list[Boundary]:
    """For each chain the last checkpoint made before then, where it is about more rows than are
    gone already. All rows that it is about are as old as it is, or older."""
    found = []
    with store.connect() as connection:
        streams = connection.execute(
            select(STREAMS.c.stream, STREAMS.c.kept_after).order_by(STREAMS.c.stream)
        ).all()
        for stream, kept_after in streams:
            row = connection.execute(
                select(CHECKPOINTS.c.number, CHECKPOINTS.c.sequence)
                .where(CHECKPOINTS.c.stream == stream, CHECKPOINTS.c.time < before)
                .where(CHECKPOINTS.c.sequence > kept_after)
                .order_by(CHECKPOINTS.c.number.desc())
                .limit(1)
            ).one_or_none()
            if row is not None:
                found.append(Boundary(stream, row.number, row.sequence))
    return found


def move(store: Store, actor: Actor, to: Boundary) -> None:
    """Let the chain begin behind that checkpoint, and say so in it; unless it does already."""
    with store.transaction(actor) as work:
        connection = work.session.connection()
        # Its event goes to the home chain, which is held as well, lest two wait for each other.
        home = home_of(to.stream)
        stream = chain.lock(connection, [home, to.stream])[to.stream]
        if stream.kept_after >= to.sequence:
            return
        connection.execute(
            update(STREAMS)
            .where(STREAMS.c.stream == to.stream)
            .values(kept_after=to.sequence, first_checkpoint=to.checkpoint)
        )
        work.record(
            "audit.removed",
            "audit_stream",
            to.stream,
            organization_id=None if home == INSTALLATION else home,
            reason="retention",
            first=stream.kept_after + 1,
            last=to.sequence,
            checkpoint=to.checkpoint,
        )


def sweep(store: Store) -> None:
    """Remove what lies below the boundaries."""
    below = or_(
        exists().where(
            EVENTS.c.stream == STREAMS.c.stream, EVENTS.c.sequence <= STREAMS.c.kept_after
        ),
        exists().where(
            CHECKPOINTS.c.stream == STREAMS.c.stream,
            CHECKPOINTS.c.number < STREAMS.c.first_checkpoint,
        ),
    )
    with store.connect() as connection:
        streams = connection.execute(
            select(STREAMS.c.stream, STREAMS.c.kept_after, STREAMS.c.first_checkpoint).where(
                STREAMS.c.kept_after > 0, below
            )
        ).all()
    for stream, kept_after, first_checkpoint in streams:
        for table, position, end in (
            (EVENTS, EVENTS.c.sequence, kept_after),
            (CHECKPOINTS, CHECKPOINTS.c.number, first_checkpoint - 1),
        ):
            _sweep(store, table, position, stream, end)


def _sweep(store: Store, table: Table, position: Column[int], stream: str, end: int) -> None:
    while True:
        with store.begin() as connection:
            first = connection.scalar(select(func.min(position)).where(table.c.stream == stream))
            if first is None or first > end:
                return
            connection.execute(
                delete(table)
                .where(table.c.stream == stream)
                .where(position <= min(end, first + AT_ONCE - 1))
            )
