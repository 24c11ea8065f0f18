"""Upkeep: what has to be done now and then, by whichever worker comes first."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from app.background import Turns
from app.errors import Conflict, Unavailable
from app.records import Actor
from app.storage import statuses
from app.storage.directory import Directory
from app.storage.revocations import forget_expired
from app.storage.store import Store
from app.tokens.keyring import Keyring
from keyturn.scope import ScopeSet

log = logging.getLogger(__name__)

CHANGES_KEPT = timedelta(days=1)
"""A worker that was away for longer starts over with an empty directory."""

HOUR = 3600.0

Chore = Callable[[], None]
"""May raise Unavailable."""

SCHEDULE = Actor(
    type="system",
    id="schedule",
    organization_id="",
    is_operator=True,
    scopes=ScopeSet(frozenset()),
)


def keep_status_lists(store: Store) -> None:
    """Free what nobody asks about any more, and do what older nodes leave undone."""
    with store.transaction(SCHEDULE) as work:
        statuses.forget_ended(work)
        statuses.catch_up(work)


class Upkeep:
    """Rotates and retires signing keys on schedule, sweeps what has expired, and does what else it
    was given to do."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        keyring: Keyring,
        *,
        also: Sequence[Chore] = (),
        hourly: Sequence[Chore] = (),
        interval: float = 60.0,
    ) -> None:
        """``also`` is done in each round, ``hourly`` less often."""
        self._store = store
        self._directory = directory
        self._keyring = keyring
        self._also, self._hourly = tuple(also), tuple(hourly)
        self._next_hour = 0.0
        self._turns = Turns("upkeep", self.once, interval)

    def start(self) -> None:
        self._turns.start()

    def stop(self) -> None:
        self._turns.stop()

    def once(self) -> None:
        """Do what is due. Raises Unavailable; a race with another worker is no error, and a chore
        that fails does not keep the others from being done."""
        try:
            if self._keyring.is_due():
                with self._store.transaction(SCHEDULE) as work:
                    self._keyring.keep(work)
        except Conflict:
            log.info("another worker has rotated the signing key")
        now = self._store.clock()
        self._directory.forget_expired(now.timestamp())
        forget_expired(self._store, now)
        self._store.forget_changes(now - CHANGES_KEPT)
        due = self._also
        if time.monotonic() >= self._next_hour:
            self._next_hour = time.monotonic() + HOUR
            due += self._hourly
        for chore in due:
            try:
                chore()
            except Unavailable:
                raise  # nor would the others find the database
            except Exception:
                # A bug in one must not leave leaked keys in use because of another.
                log.exception("upkeep: a chore failed")
        self._keyring.published()  # so that ages are known where nobody asks for tokens
