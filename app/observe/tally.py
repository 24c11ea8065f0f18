"""Counts of what was answered: a good answer pays one ``append``, the rest is done later.

prometheus-client's own counters cost 3.7 µs a grant, and a histogram kept here 1.3; they are
written once a second by a thread of its own (``app.observe.reporter``, ADR 10).
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TypeVar

from app.errors import InvalidClient, OAuthError, Unavailable
from keyturn.errors import KeyturnError, Reason

BOUNDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
)  # fmt: skip
"""Upper bounds of the latency histogram, in seconds: a grant is some 100 µs, a dead disk 10 s."""

MAX_UNSETTLED = 4096
"""Durations that wait to be counted; whoever finds more counts them, wanted or not."""

OUTCOMES = ("ok", "refused", "unavailable", "failed")
NONE, OTHER = "none", "other"
REFUSALS = (
    # RFC 6749 §5.2, RFC 8707 §2 and ours
    "invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope", "invalid_target", "insufficient_scope", "rate_limited", "too_large",
    # why a client authentication failed
    "missing", "malformed", "unknown", "secret_mismatch", "disabled", "organization_suspended",
    "environment_mismatch", "wrong_method",
)  # fmt: skip
AWAY = ("database", "journal", "counters", "redis")
"""What a 503 may be for: the word before the colon of its detail."""
REASONS = (NONE, *REFUSALS, *AWAY, OTHER)
"""Closed, because a label with open values is a memory leak in whoever stores it."""

CREDENTIALS = ("token", "api_key")
VERDICTS = ("active", "another_organization", *(str(reason) for reason in Reason), OTHER)
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")

V = TypeVar("V")

Counts = Mapping[tuple[str, ...], float]
"""What a metric reads now, by the values of its labels."""


class Durations:
    """A histogram: how many in each bucket (the last has no bound), and the sum of seconds."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class HitRate:
    """How often something was in memory. Without a lock: the interpreter does not change threads
    within ``+= 1`` on a slot, and where one day it may, a count is missed, nothing else."""

    __slots__ = ("hits", "misses")

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0

    def noted(self, found: V | None) -> V | None:
        """What was looked for, counted."""
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    def counts(self, kind: str) -> Counts:
        return {(kind, "hit"): self.hits, (kind, "miss"): self.misses}


class Tally:
    """What this process has answered since it began."""

    def __init__(self, endpoints: Iterable[str]) -> None:
        names = tuple(endpoints)
        self._lock = threading.Lock()
        self._ok = dict.fromkeys(names, 0)
        self._other: dict[tuple[str, str, str], int] = {}
        self._durations = {name: Durations() for name in names}
        self._unsettled: dict[str, deque[float]] = {name: deque() for name in names}
        self._verdicts: dict[tuple[str, ...], float] = {}
        self._api = dict.fromkeys(CLASSES, 0)

    # What requests report ------------------------------------------------------------------

    def answered(
        self, endpoint: str, status: int, error: KeyturnError | None, seconds: float
    ) -> None:
        """An OAuth endpoint has its answer; ``error`` is why it is no good one."""
        if status == 200:
            unsettled = self._unsettled[endpoint]
            unsettled.append(seconds)  # atomic; and nothing else that another thread may touch
            if len(unsettled) > MAX_UNSETTLED:
                self._settle(endpoint)
            return
        key = (endpoint, outcome_of(status), reason_of(error))
        with self._lock:
            self._other[key] = self._other.get(key, 0) + 1
            self._durations[endpoint].add(seconds)

    def verified(self, credential: str, verdict: str) -> None:
        """What introspection found out about a ``token`` or ``api_key``."""
        key = (credential, verdict if verdict in VERDICTS else OTHER)
        with self._lock:
            self._verdicts[key] = self._verdicts.get(key, 0) + 1

    def api_answered(self, status: int) -> None:
        """The management API has answered."""
        with self._lock:
            self._api[CLASSES[min(max(status // 100, 1), 5) - 1]] += 1

    # What is read --------------------------------------------------------------------------

    def answers(self, endpoint: str, ok: str = "ok") -> Counts:
        """By outcome and reason; ``ok`` is what a good answer is called there."""
        self._settle(endpoint)
        with self._lock:
            counts: dict[tuple[str, ...], float] = {(ok, NONE): self._ok[endpoint]}
            for (name, outcome, reason), count in self._other.items():
                if name == endpoint:
                    counts[outcome, reason] = count
            return counts

    def durations(self, endpoint: str) -> Durations:
        """A copy of the histogram."""
        self._settle(endpoint)
        with self._lock:
            found, copy = self._durations[endpoint], Durations()
            copy.buckets, copy.total = found.buckets.copy(), found.total
            return copy

    def verdicts(self) -> Counts:
        """By credential and verdict."""
        with self._lock:
            return {**{(kind, "active"): 0 for kind in CREDENTIALS}, **self._verdicts}

    def api(self) -> Counts:
        """By class of status."""
        with self._lock:
            return {(name,): count for name, count in self._api.items()}

    def _settle(self, endpoint: str) -> None:
        unsettled, durations = self._unsettled[endpoint], self._durations[endpoint]
        with self._lock:
            for _ in range(len(unsettled)):
                # Taken away by us alone, under the lock; what comes meanwhile waits.
                durations.add(unsettled.popleft())
                self._ok[endpoint] += 1


def outcome_of(status: int) -> str:
    """Of an answer that is no 200."""
    if status < 400:
        return "ok"
    if status == 503:
        return "unavailable"
    return "failed" if status >= 500 else "refused"


def reason_of(error: KeyturnError | None) -> str:
    """Why, as a word of ``REASONS``; never what somebody sent."""
    if isinstance(error, InvalidClient) and error.detail in REFUSALS:
        return error.detail
    if isinstance(error, OAuthError):
        return error.code if error.code in REFUSALS else OTHER
    if isinstance(error, Unavailable):
        what = error.detail.partition(":")[0]
        return what if what in AWAY else OTHER
    return NONE
