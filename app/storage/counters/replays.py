"""Marks in the database: what may come once is remembered by all nodes, where there is no Redis.

Also on SQLite, although it writes for each: the table of counters in memory may let go of one that
ends late when it is flooded, and a limit survives that, but no replay check does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import delete

from app.storage.models import CounterRow
from app.storage.store import Store
from app.storage.upsert import upsert


class DatabaseReplays:
    """A ``ReplayGuard`` as one insert, in a transaction of its own."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    def is_first(self, name: str, until: float) -> bool:
        """Raises Unavailable."""
        with self._store.begin() as connection:
            statement = upsert(connection, CounterRow).values(
                # A hash, because names hold what strangers send.
                name=sha256(f"once:{name}".encode()).hexdigest(),
                ends_at=datetime.fromtimestamp(until, UTC),
                count=1,
            )
            statement = statement.on_conflict_do_update(
                index_elements=[CounterRow.name],
                set_={"ends_at": statement.excluded.ends_at},
                where=CounterRow.ends_at <= datetime.fromtimestamp(self._now(), UTC),
            ).returning(CounterRow.name)
            # What was written, not how many: psycopg does not always know that number.
            return connection.execute(statement).first() is not None


def forget(store: Store) -> None:
    """Remove marks and counters whose time has ended. Raises Unavailable."""
    with store.begin() as connection:
        connection.execute(delete(CounterRow).where(CounterRow.ends_at < store.clock()))
