"""What an operator wants to know of the database and of Redis, measured by asking them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.errors import Unavailable
from app.storage.models import ChangeRow
from app.storage.store import Store

ROUNDS = 5
PATIENCE = 2
"""Seconds that Redis has to answer."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A database that answers; durations in seconds."""

    engine: str
    round_trip: float
    skew: float | None
    """How far its clock is ahead of ours; None where it has ours."""


@dataclass(frozen=True, slots=True)
class Connections:
    """How many a PostgreSQL server has, and how many it would take."""

    used: int
    most: int


def database(store: Store) -> Reached:
    """Ask for nothing, and for the time. Raises Unavailable."""
    with store.connect() as connection:
        engine = connection.dialect.name
        began, clock = time.perf_counter(), store.clock()
        # First in its transaction, because that is the moment it names.
        there = connection.execute(select(func.current_timestamp())).scalar_one()
        first = time.perf_counter() - began
        skew = None
        if engine != "sqlite":
            skew = (there - clock).total_seconds() - first / 2
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            connection.execute(text("SELECT 1"))
            took.append(time.perf_counter() - began)
    return Reached(engine, median(took), skew)


def connections(store: Store) -> Connections | None:
    """None where the engine does not tell. Raises Unavailable."""
    try:
        with store.connect() as connection:
            used = connection.execute(text("SELECT count(*) FROM pg_stat_activity")).scalar_one()
            most = connection.execute(text("SHOW max_connections")).scalar_one()
            return Connections(used, int(most))
    except (DBAPIError, ValueError):
        return None


def last_change(store: Store) -> int | None:
    """The sequence of the last change that is kept; None where none is. Raises Unavailable."""
    with store.connect() as connection:
        return connection.execute(select(func.max(ChangeRow.sequence))).scalar()


def redis(url: str) -> float:
    """The round trip to Redis, in seconds. Raises Unavailable."""
    # Only here, as in `app.wiring`: who has no Redis does not wait for its import.
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        ) as client:
            client.ping()
            began = time.perf_counter()
            client.ping()
            return time.perf_counter() - began
    except (RedisError, OSError, ValueError) as error:
        raise Unavailable(detail=f"Redis: {error}") from error
