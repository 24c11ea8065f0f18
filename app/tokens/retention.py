"""How long audit events are kept (``KEYTURN_AUDIT_RETENTION``)."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.records import Actor
from app.settings import Settings
from app.storage import retention as stored
from app.storage.store import Store


class Retention:
    """Takes what is older off the chains, once a day (UTC): each time leaves an event."""

    def __init__(self, store: Store, settings: Settings, actor: Actor) -> None:
        self._store = store
        self._kept: timedelta | None = settings.audit_retention
        self._actor = actor
        self._done: datetime | None = None

    def apply_due(self) -> None:
        """Do what is due; harmless when several do it. Raises Unavailable."""
        if self._kept is None:
            return
        today = self._store.clock().replace(hour=0, minute=0, second=0, microsecond=0)
        if self._done == today:
            return
        for boundary in stored.boundaries(self._store, today - self._kept):
            stored.move(self._store, self._actor, boundary)
        stored.sweep(self._store)
        self._done = today
