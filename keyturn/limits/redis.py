"""Limits counted in Redis, for all processes that share it (`pip install keyturn[redis]`)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from keyturn.limits.local import Counters, counted_as, refuse_beyond
from keyturn.limits.values import Limit, RateLimits, Usage
from keyturn.loops import PerLoop
from keyturn.principal import Principal

log = logging.getLogger("keyturn")

PREFIX = "keyturn:limit:"
TIMEOUT = 0.25
"""Seconds a request waits for Redis at most."""
PAUSE = 1.0
"""Seconds until Redis is asked again after it failed."""
# Of every window or of none, in one step: KEYS are the windows, ARGV the cost and, for each
# window, its limit and its end.
_TAKE = """
local used, room = {}, true
for i, key in ipairs(KEYS) do
  used[i] = tonumber(redis.call('GET', key) or '0')
  if used[i] + ARGV[1] > tonumber(ARGV[2 * i]) then room = false end
end
if room then
  for i, key in ipairs(KEYS) do
    redis.call('INCRBY', key, ARGV[1])
    redis.call('EXPIREAT', key, ARGV[2 * i + 1])
  end
end
return used
"""


class RedisLimits:
    """As `LocalLimits`, but counted once for all who share a Redis: one round trip a request.

    While Redis is away each process counts for itself, and says so in the log.

    >>> limits = RedisLimits("redis://127.0.0.1:6379/0", "100/minute")
    """

    def __init__(self, url: str, *default: str, now: Callable[[], float] = time.time) -> None:
        """`default`: what holds for whom the issuer names nothing."""
        self._default = RateLimits.parse(*default)
        timeouts: dict[str, Any] = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
        self._redis = Redis.from_url(url, **timeouts)
        self._take = self._redis.register_script(_TAKE)
        # Connections are a loop's own.
        self._take_async = PerLoop(
            lambda: AsyncRedis.from_url(url, **timeouts).register_script(_TAKE)
        )
        self._now = now
        self._alone = Counters(now)
        self._away_until = 0.0

    def take(self, principal: Principal, route_class: str = "", cost: int = 1) -> tuple[Usage, ...]:
        """Use so much of every limit that holds, or of none. Raises RateLimited."""
        taking = self._taking(principal, route_class, cost)
        if self._is_alone(taking):
            return self._counted_alone(taking)
        try:
            return taking.stand(self._take(keys=taking.keys, args=taking.bounds))
        except RedisError as error:
            return self._counted_alone(taking, error)

    async def take_async(
        self, principal: Principal, route_class: str = "", cost: int = 1
    ) -> tuple[Usage, ...]:
        """The same for tasks."""
        taking = self._taking(principal, route_class, cost)
        if self._is_alone(taking):
            return self._counted_alone(taking)
        try:
            script = self._take_async.here()
            return taking.stand(await script(keys=taking.keys, args=taking.bounds))
        except RedisError as error:
            return self._counted_alone(taking, error)

    def close(self) -> None:
        """Close the connections of threads."""
        self._redis.close()

    async def close_async(self) -> None:
        """Close the connections of this event loop."""
        script = self._take_async.pop()
        if script is not None:
            await script.registered_client.aclose()

    def _taking(self, principal: Principal, route_class: str, cost: int) -> _Taking:
        holding = principal.rate_limits if principal.rate_limits.entries else self._default
        counted_class, limits = holding.holding(route_class)
        return _Taking(counted_as(principal, counted_class), limits, cost, int(self._now()))

    def _is_alone(self, taking: _Taking) -> bool:
        return not taking.limits or time.monotonic() < self._away_until

    def _counted_alone(self, taking: _Taking, error: RedisError | None = None) -> tuple[Usage, ...]:
        if error is not None:
            self._away_until = time.monotonic() + PAUSE
            log.error("Redis is away, limits are counted alone: %s", type(error).__name__)
        if not taking.limits:
            return ()
        return self._alone.take(taking.name, taking.limits, taking.cost)


class _Taking(NamedTuple):
    """What is to be counted, before anybody is asked."""

    name: str
    limits: tuple[Limit, ...]
    cost: int
    now: int

    @property
    def _ends(self) -> list[int]:
        return [self.now - self.now % one.seconds + one.seconds for one in self.limits]

    @property
    def keys(self) -> list[str]:
        # The braces keep all windows of a name on one node of a cluster.
        name = f"{PREFIX}{{{sha256(self.name.encode()).hexdigest()}}}"
        pairs = zip(self.limits, self._ends, strict=True)
        return [f"{name}:{limit.seconds}:{end}" for limit, end in pairs]

    @property
    def bounds(self) -> list[int]:
        pairs = zip(self.limits, self._ends, strict=True)
        return [self.cost, *(n for limit, end in pairs for n in (limit.amount, end))]

    def stand(self, used: list[int]) -> tuple[Usage, ...]:
        """How the limits stand after it. Raises RateLimited."""
        found = zip(self.limits, used, self._ends, strict=True)
        before = [Usage(limit, count, end - self.now) for limit, count, end in found]
        refuse_beyond(before, self.cost, self.name)
        return tuple(Usage(one.limit, one.used + self.cost, one.resets_in) for one in before)
