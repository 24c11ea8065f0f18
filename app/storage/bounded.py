"""Connections to PostgreSQL that give up a server which does not answer at all.

``statement_timeout`` is kept by the server, and one that hangs or is stopped keeps nothing; the
kernel goes on acknowledging what we send it. So each wait ends here as well, and all waits of one
request end together.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import OperationalError
from sqlalchemy import Engine, event

from app.observe.context import remaining

GRACE = 0.5
"""Seconds by which the server's own timeout comes first: it says more, and the connection stays."""

SHORTEST = 2.0
"""Seconds that the driver gives a new connection at least."""


class BoundedConnection(psycopg.Connection[Any]):
    """Waits for an answer no longer than ``patience``; then it is closed."""

    patience: float | None = None
    """Seconds; None: for as long as it takes."""

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is not None or self.patience is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, remaining(self.patience))
        except psycopg.errors._WaitTimeout:
            # An answer to this may come yet, and must not be taken for another's.
            self.pgconn.finish()
            raise OperationalError("the server does not answer") from None


def connect_bounded(engine: Engine, seconds: float) -> None:
    """Let this engine's connections wait for so long, and their making too."""
    patience = seconds + GRACE

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, positional: Any, named: dict[str, Any]) -> Any:
        return connected(patience, *positional, **named)


def connected(patience: float, *positional: Any, **named: Any) -> BoundedConnection:
    """A new connection. Raises psycopg.OperationalError."""
    left = remaining(patience)
    if left < min(SHORTEST, patience):
        raise OperationalError("the server did not answer, and there is no time to ask again")
    made = BoundedConnection.connect(*positional, **named | {"connect_timeout": int(left)})
    made.patience = patience
    return made
