"""The database: one engine, and transactions in which record, event and change stand together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.errors import Conflict, Contended, Unavailable
from app.ids import event_id
from app.ports import Clock
from app.records import Actor, Change, Event
from app.storage import chain, statuses
from app.storage.canonical import instant
from app.storage.models import ChangeRow, FeedHeadRow, SubmissionRow

log = logging.getLogger(__name__)

CONTENDED = ("40001", "40P01")
"""SQLSTATEs of a transaction that may be tried again: serialization failure, deadlock."""

FEED = 1
"""Key of the feed's one row."""

Listener = Callable[[Sequence[Change]], None]


class Transaction:
    """One use case: its session, and what it leaves behind when it commits."""

    def __init__(self, session: Session, actor: Actor, clock: Clock) -> None:
        self.session = session
        self.actor = actor
        self.now = clock()
        self.changes: list[Change] = []
        self.events: list[Event] = []

    def changed(self, kind: str, subject_id: str) -> None:
        """Tell every worker to let go of what it holds of this."""
        self.changes.append(Change(kind, subject_id))

    def record(
        self,
        type: str,
        target_type: str,
        target_id: str,
        *,
        organization_id: str | None = None,
        reason: str | None = None,
        **details: Any,
    ) -> None:
        """Write an audit event in this transaction. Details never hold a secret, nor anything
        that has no canonical form (``app.storage.canonical``)."""
        if self.actor.acts_from is not None:
            details["acts_from"] = self.actor.acts_from
        self.events.append(
            Event(
                # A microsecond apart, so that what one use case did is listed in its order.
                id=event_id(round(self.now.timestamp() * 1_000_000 + len(self.events)) * 1000),
                time=self.now,
                type=type,
                actor_type=self.actor.type,
                actor_id=self.actor.id,
                organization_id=organization_id or self.actor.organization_id or None,
                target_type=target_type,
                target_id=target_id,
                reason=reason,
                ip=self.actor.ip,
                user_agent=self.actor.user_agent,
                request_id=self.actor.request_id,
                details=details,
            )
        )

    def _write_ledger(self) -> None:
        if self.events:
            if self.actor.submission is not None:
                # Before anything else is locked: the same form, sent twice, waits here and fails.
                self.session.execute(
                    insert(SubmissionRow).values(
                        digest=self.actor.submission,
                        made=self.events[-1].target_id,
                        created_at=self.now,
                    )
                )
            chain.append(self.session.connection(), [event_row(event) for event in self.events])
        if self.changes:
            # Behind the ends of the chains, always in that order; and the last statement before
            # the commit, so the lock on the feed is held briefly.
            last = self.session.execute(
                update(FeedHeadRow)
                .where(FeedHeadRow.id == FEED)
                .values(sequence=FeedHeadRow.sequence + len(self.changes))
                .returning(FeedHeadRow.sequence)
            ).scalar_one()
            first = last - len(self.changes) + 1
            rows = [
                {
                    "sequence": n,
                    "kind": change.kind,
                    "subject_id": change.id,
                    "created_at": self.now,
                }
                for n, change in enumerate(self.changes, first)
            ]
            self.session.execute(insert(ChangeRow), rows)


def event_row(event: Event) -> dict[str, Any]:
    """An event as ``app.storage.chain`` takes it."""
    return {name: getattr(event, name) for name in Event.__dataclass_fields__} | {
        "time": instant(event.time),
        "details": dict(event.details),
    }


class Store:
    """Opens transactions and readings; whatever is wrong with the database is ``Unavailable``."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self._listeners: list[Listener] = []

    def on_commit(self, listener: Listener) -> None:
        """Call ``listener`` with a transaction's changes at once after it commits here."""
        self._listeners.append(listener)

    @contextmanager
    def transaction(self, actor: Actor) -> Iterator[Transaction]:
        """Everything in the block is written, or nothing. Raises Unavailable and Conflict."""
        with _database_errors(), Session(self.engine, expire_on_commit=False) as session:
            with session.begin():
                work = Transaction(session, actor, self.clock)
                yield work
                session.flush()
                work.changes += statuses.settle(session, work.changes, work.now)
                work._write_ledger()
            for listener in self._listeners if work.changes else ():
                listener(work.changes)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads. Raises Unavailable."""
        with _database_errors(), self.connect() as connection, Session(connection) as session:
            yield session

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A connection that writes what is no administrative act. Raises Unavailable."""
        with _database_errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection that only reads, for the directory: no ORM. Raises Unavailable."""
        with (
            _database_errors(),
            self.engine.connect().execution_options(reading=True) as connection,
        ):
            yield connection

    def feed_head(self) -> int:
        """The last sequence that is visible."""
        with self.connect() as connection:
            return connection.execute(
                select(FeedHeadRow.sequence).where(FeedHeadRow.id == FEED)
            ).scalar_one()

    def changes_after(self, sequence: int, limit: int = 10_000) -> list[tuple[int, Change]]:
        """The next changes behind ``sequence``, in order."""
        with self.connect() as connection:
            rows = connection.execute(
                select(ChangeRow.sequence, ChangeRow.kind, ChangeRow.subject_id)
                .where(ChangeRow.sequence > sequence)
                .order_by(ChangeRow.sequence)
                .limit(limit)
            )
            return [(row.sequence, Change(row.kind, row.subject_id)) for row in rows]

    def forget_changes(self, before: datetime) -> None:
        """Remove changes that everybody who follows the feed has seen long ago.

        The last one stays: by it, whoever was away for longer sees that there were others.
        """
        last = select(FeedHeadRow.sequence).where(FeedHeadRow.id == FEED).scalar_subquery()
        with self.begin() as connection:
            connection.execute(
                delete(ChangeRow).where(ChangeRow.created_at < before, ChangeRow.sequence < last)
            )


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict("It meets something that exists already", detail=str(error.orig)) from error
    except PoolTimeout as error:
        raise Unavailable(detail=f"database: {_in_a_line(error)}") from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in CONTENDED:
            raise Contended(detail=f"database: {_in_a_line(error)}", retry_after=1) from error
        # Of no kind of its own (`DatabaseError`): a file that is no SQLite database any more.
        away = isinstance(error, OperationalError) or type(error) is DatabaseError
        if away or error.connection_invalidated:
            raise Unavailable(detail=f"database: {_in_a_line(error)}") from error
        raise


def _in_a_line(error: SQLAlchemyError) -> str:
    """What the driver says, without the statement and in one line: it goes to logs."""
    return " ".join(str(getattr(error, "orig", error)).split())[:200]
