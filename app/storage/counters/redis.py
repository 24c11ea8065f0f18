"""Counters in Redis: shared by all nodes; when it is away, each node counts for itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from hashlib import sha256

from redis import Redis
from redis.exceptions import RedisError

from app.errors import Unavailable
from app.ports import Count, Counter

log = logging.getLogger(__name__)

PREFIX = "keyturn:count:"
ONCE = "keyturn:once:"
TIMEOUT = 0.25
"""Seconds a request waits for Redis at most."""
PAUSE = 1.0
"""Seconds until Redis is asked again after it failed."""


class RedisCounter:
    """A ``Counter`` as one round trip a hit; falls back to this node's own counter, loudly."""

    def __init__(self, url: str, alone: Counter, now: Callable[[], float]) -> None:
        self._redis = Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
        self._alone = alone
        self._now = now
        self._away_until = 0.0
        self.fallbacks = 0

    def hit(self, name: str, window: int, cost: int = 1) -> Count:
        """Add ``cost`` in the present window of so many seconds. Raises Unavailable."""
        if time.monotonic() < self._away_until:
            return self._fall_back(name, window, cost)
        now = int(self._now())
        ends = now - now % window + window
        key = PREFIX + sha256(f"{window}:{ends}:{name}".encode()).hexdigest()
        try:
            with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.incrby(key, cost)
                pipeline.expireat(key, ends + 1)
                return Count(int(pipeline.execute()[0]), ends)
        except RedisError as error:
            self._away_until = time.monotonic() + PAUSE
            log.error("Redis is away, this node counts alone: %s", type(error).__name__)
            return self._fall_back(name, window, cost)

    def _fall_back(self, name: str, window: int, cost: int) -> Count:
        self.fallbacks += 1
        return self._alone.hit(name, window, cost)


class RedisReplays:
    """A ``ReplayGuard`` as one ``SET … NX``. Nothing stands in for it: a node by itself cannot know
    what the others have seen."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)

    def is_first(self, name: str, until: float) -> bool:
        """Raises Unavailable."""
        key = ONCE + sha256(name.encode()).hexdigest()
        try:
            return bool(self._redis.set(key, b"", nx=True, exat=int(until) + 1))
        except RedisError as error:
            raise Unavailable(detail=f"replays: {type(error).__name__}") from None
