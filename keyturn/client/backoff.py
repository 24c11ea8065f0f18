"""Try again when an API says so: Retry-After, else exponentially longer, with jitter."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from keyturn.asking import retry_after
from keyturn.chance import chance


class Answered(Protocol):
    """A response, of httpx, requests, or whoever has these two."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Any: ...


A = TypeVar("A", bound=Answered)


class Backoff:
    """Sends again what was answered 429, or 503 with Retry-After: neither has been carried out.

    >>> import httpx
    >>> backoff = Backoff(attempts=3)
    >>> answer = backoff.call(lambda: httpx.Response(200))
    >>> answer.status_code
    200

    Never earlier than Retry-After says, and each caller a little later than that, so that not all
    of them come back in the same moment. Thread-safe.
    """

    def __init__(
        self,
        attempts: int = 5,
        first: timedelta = timedelta(seconds=0.5),
        longest: timedelta = timedelta(seconds=60),
        *,
        sleep: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = chance,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`attempts`: how often it is sent at most. `longest`: more than that is not waited for."""
        if attempts < 1 or not timedelta(0) < first <= longest:
            raise ValueError("attempts: 1 at least; first: more than nothing, up to longest")
        self._attempts = attempts
        self._first = first.total_seconds()
        self._longest = longest.total_seconds()
        self._sleep = sleep
        self._chance = chance
        self._now = now

    def call(self, send: Callable[[], A]) -> A:
        """The first answer that is not worth waiting for, or the last one."""
        for attempt in range(self._attempts - 1):
            answer = send()
            wait = self.wait(attempt, answer.status_code, answer.headers)
            if wait is None:
                return answer
            self._sleep(wait)
        return send()

    def wait(self, attempt: int, status: int, headers: Mapping[str, str]) -> float | None:
        """Seconds until the next attempt; None where there should be none. `attempt` is from 0."""
        told = retry_after(headers.get("Retry-After"), self._now())
        if status not in (429, 503) or (status == 503 and told is None):
            return None
        span = min(self._longest, self._first * 2.0 ** min(attempt, 60))
        if told is None:
            return span / 2 + span / 2 * self._chance()
        return told + span * self._chance() if told <= self._longest else None
