"""A nudge between nodes: LISTEN/NOTIFY where the database has it.

It only makes the next poll of the feed come earlier. What speaks PostgreSQL's protocol without
notifications (CockroachDB among them) serves by polling alone.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

CHANNEL = "keyturn_changes"
PATIENCE = 5.0
"""Seconds."""


class Wake:
    """Sends and awaits nudges; every failure of it is harmless."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._supported = engine.dialect.name == "postgresql"
        self._connection: Any = None

    def send(self) -> None:
        """Nudge the others. After the commit and outside of it: it must not be able to fail it."""
        if not self._supported:
            return
        try:
            with self._engine.connect() as connection:
                connection.execute(text(f"NOTIFY {CHANNEL}"))
                connection.commit()
        except SQLAlchemyError as error:
            self._give_up(error)

    def wait(self, stopping: threading.Event, seconds: float) -> bool:
        """Wait for a nudge, the end of ``seconds`` or the stop; True when it is time to stop."""
        if self._supported:
            try:
                # Received while the last poll ran as well: the driver keeps what came meanwhile.
                for _ in self._listening().notifies(timeout=seconds, stop_after=1):
                    break
                return stopping.is_set()
            except (self._engine.dialect.loaded_dbapi.Error, OSError) as error:
                self.close()
                self._give_up(error)
        return stopping.wait(seconds)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _listening(self) -> Any:
        if self._connection is None:
            # A connection of its own: one from the pool would hand its notifications to others.
            from app.storage.bounded import connected

            positional, named = self._engine.dialect.create_connect_args(self._engine.url)
            self._connection = connected(PATIENCE, *positional, **named, autocommit=True)
            self._connection.execute(f"LISTEN {CHANNEL}")
        return self._connection

    def _give_up(self, error: Exception) -> None:
        # A connection that broke is made again; an engine that has no notifications is believed.
        if getattr(getattr(error, "orig", error), "sqlstate", None) in ("0A000", "42601"):
            self._supported = False
            log.info("this database has no notifications: changes are polled for")
