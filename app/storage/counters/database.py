"""Counters in the database: shared by all nodes where there is no Redis."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy.dialects.postgresql import insert

from app.ports import Count
from app.storage.models import CounterRow
from app.storage.store import Store


class DatabaseCounter:
    """A ``Counter`` as one upsert a hit, in a transaction of its own."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    def hit(self, name: str, window: int, cost: int = 1) -> Count:
        """Add ``cost`` in the present window of so many seconds. Raises Unavailable."""
        now = int(self._now())
        ends = now - now % window + window
        statement = insert(CounterRow).values(
            # A hash, because names hold what strangers send.
            name=sha256(f"{window}:{ends}:{name}".encode()).hexdigest(),
            ends_at=datetime.fromtimestamp(ends, UTC),
            count=cost,
        )
        statement = statement.on_conflict_do_update(
            index_elements=[CounterRow.name], set_={"count": CounterRow.count + cost}
        ).returning(CounterRow.count)  # type: ignore[assignment]
        with self._store.begin() as connection:
            return Count(connection.execute(statement).scalar_one(), ends)
