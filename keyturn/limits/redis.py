"""Limits counted in Redis, for all processes that share it (`pip install keyturn[redis]`)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from hashlib import sha256

from redis import Redis
from redis.exceptions import RedisError

from keyturn.limits.local import Counters, counted_as, refuse_beyond
from keyturn.limits.values import RateLimits, Usage
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
        self._redis = Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
        self._take = self._redis.register_script(_TAKE)
        self._now = now
        self._alone = Counters(now)
        self._away_until = 0.0

    def take(self, principal: Principal, route_class: str = "", cost: int = 1) -> tuple[Usage, ...]:
        """Use so much of every limit that holds, or of none. Raises RateLimited."""
        holding = principal.rate_limits if principal.rate_limits.entries else self._default
        counted_class, limits = holding.holding(route_class)
        name, now = counted_as(principal, counted_class), int(self._now())
        if not limits:
            return ()
        if time.monotonic() < self._away_until:
            return self._alone.take(name, limits, cost)
        ends = [now - now % limit.seconds + limit.seconds for limit in limits]
        # The braces keep all windows of a name on one node of a cluster.
        digest = sha256(name.encode()).hexdigest()
        keys = [
            f"{PREFIX}{{{digest}}}:{limit.seconds}:{end}"
            for limit, end in zip(limits, ends, strict=True)
        ]
        bounds = [n for limit, end in zip(limits, ends, strict=True) for n in (limit.amount, end)]
        try:
            used = self._take(keys=keys, args=[cost, *bounds])
        except RedisError as error:
            self._away_until = time.monotonic() + PAUSE
            log.error("Redis is away, limits are counted alone: %s", type(error).__name__)
            return self._alone.take(name, limits, cost)
        stand = [
            Usage(limit, count, end - now)
            for limit, count, end in zip(limits, used, ends, strict=True)
        ]
        refuse_beyond(stand, cost, name)
        return tuple(Usage(one.limit, one.used + cost, one.resets_in) for one in stand)
