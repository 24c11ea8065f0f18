"""Forget how credentials were used, once it is too long ago."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, delete, func, or_, select

from app.storage.store import Store
from app.storage.usage import COUNTS, NETWORKS, SCOPES
from app.storage.uses import hour_of

AT_ONCE = 24
"""Hours whose counts one statement removes."""


def forget(store: Store, before: datetime) -> None:
    """Remove what was before then: counts by their hour, networks and scopes by their last use. A
    network that is seen again is a new one."""
    end = hour_of(before)
    while True:
        with store.begin() as connection:
            first = connection.scalar(select(func.min(COUNTS.c.hour)))
            if first is None or first >= end:
                break
            connection.execute(delete(COUNTS).where(COUNTS.c.hour < min(end, first + AT_ONCE)))
    with store.begin() as connection:
        connection.execute(delete(NETWORKS).where(NETWORKS.c.last_seen_at < before))
        long_ago = (
            or_(last.is_(None), last < before)
            for last in (SCOPES.c.last_issued_at, SCOPES.c.last_used_at)
        )
        connection.execute(delete(SCOPES).where(and_(*long_ago)))
