"""The feed of changes: what another worker or node changed, seen here within one poll.

Sequences come from one row that stays locked until its writer commits (``feed_head``), so they
are gapless and become visible in order: there is no row that commits late behind a reader.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from app.background import Turns
from app.errors import Unavailable
from app.observe.context import remaining
from app.records import Change
from app.settings import Settings
from app.storage.store import Store
from app.storage.wake import Wake

BATCH = 10_000


class Feed:
    """Follows the changes and hands each to whoever holds that kind in memory."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._max_stale = settings.max_stale.total_seconds()
        self._patience = settings.database_timeout.total_seconds()
        self._drop: Mapping[str, Callable[[str], None]] = {}
        self._reset: Sequence[Callable[[], None]] = ()
        self._position: int | None = None
        self._synced = 0.0
        self._made = time.monotonic()
        self._lock = threading.Lock()
        self._wake = Wake(store.engine)
        interval = settings.poll_interval.total_seconds()
        self._turns = Turns("feed", self.poll, interval, pause=self._wake.wait)
        store.on_commit(self._committed)

    def deliver_to(
        self, drop: Mapping[str, Callable[[str], None]], reset: Sequence[Callable[[], None]]
    ) -> None:
        """Say who drops what: by kind of change, and everything when the trail is lost."""
        self._drop, self._reset = drop, reset

    def start(self) -> None:
        """Follow the feed in the background. Called once in each serving process."""
        self._turns.start()

    def stop(self) -> None:
        self._turns.stop()
        self._wake.close()

    @property
    def failures(self) -> int:
        """Polls in the background that did not come through."""
        return self._turns.failures

    def require_fresh(self) -> None:
        """Raise Unavailable when the database has been away for longer than is bearable."""
        if time.monotonic() - self._synced > self._max_stale:
            if self._turns.has_begun and self._synced:
                # The thread goes on trying; requests do not queue up behind a dead database.
                raise Unavailable(detail="database: away for longer than KEYTURN_MAX_STALE")
            self.poll()

    def is_bearable(self) -> bool:
        """Whether what is known here may be served without asking the database."""
        return self._position is not None and self.lag() <= self._max_stale

    def position(self) -> int:
        """The last change that was applied here; 0 before the first look."""
        return self._position or 0

    def lag(self) -> float:
        """Seconds since this process was last in step with the database, or was made."""
        return time.monotonic() - (self._synced or self._made)

    def poll(self) -> None:
        """Apply what has changed since the last poll. Raises Unavailable."""
        # Not for ever: whoever polls now may be waiting for a database that hangs.
        if not self._lock.acquire(timeout=remaining(self._patience)):
            raise Unavailable(detail="database: the change feed is being waited for")
        try:
            started = time.monotonic()
            if self._position is None:
                self._position = self._store.feed_head()
                self._lose_everything()
            while changes := self._store.changes_after(self._position, BATCH):
                if changes[0][0] != self._position + 1:
                    # Pruned while we were away: what changed is not known any more.
                    self._position = self._store.feed_head()
                    self._lose_everything()
                    continue
                self.apply([change for _, change in changes])
                self._position = changes[-1][0]
            self._synced = started
        finally:
            self._lock.release()

    def apply(self, changes: Sequence[Change]) -> None:
        """Let go of what was changed; also called at once for this process's own commits."""
        for change in changes:
            drop = self._drop.get(change.kind)
            if drop is not None:
                drop(change.id)

    def _committed(self, changes: Sequence[Change]) -> None:
        self.apply(changes)
        self._wake.send()

    def _lose_everything(self) -> None:
        for reset in self._reset:
            reset()
