"""Remember what the issuer said about a key, for seconds and not longer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from keyturn.acting import Acting
from keyturn.apikey import key_digest
from keyturn.errors import Reason
from keyturn.forks import survives_forks
from keyturn.introspect import Introspection
from keyturn.talks import Learnt, Pending, Question, Talk

DEFAULT_MAX_STALENESS = timedelta(seconds=15)
LONGEST_MAX_STALENESS = timedelta(seconds=60)
"""A key that was revoked is refused everywhere within this time, whatever is set."""
NEGATIVE_TTL = 5.0
"""Seconds for which a refused key is refused again unasked: a new key must work soon."""
MAX_ACTIVE = 10_000
MAX_INACTIVE = 1_000

Verdict = Introspection | Reason
"""What an active key is, or why it is not."""


class _Remembered:
    """A bounded table, digest to verdict; the least recently used goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, tuple[Verdict, float]] = OrderedDict()

    def get(self, digest: bytes, now: float) -> tuple[Verdict, float] | None:
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if now >= entry[1]:
            del self._entries[digest]
            return None
        self._entries.move_to_end(digest)
        return entry

    def put(self, digest: bytes, verdict: Verdict, until: float) -> None:
        self._entries[digest] = (verdict, until)
        self._entries.move_to_end(digest)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def drop(self, digest: bytes) -> None:
        self._entries.pop(digest, None)


class Verdicts:
    """Verdicts on keys: asked once by however many want one, remembered by the SHA-256 of the key.

    Age counts from the moment of asking. A verdict that is too old is never used, whether the
    issuer answers or not. Refusals have a table of their own, so that guesses cannot push good keys
    out.
    """

    def __init__(
        self,
        ask: Callable[..., Talk[Verdict]],
        max_staleness: timedelta = DEFAULT_MAX_STALENESS,
        *,
        patience: timedelta = timedelta(seconds=10),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience`: how long to wait for another one's question."""
        if not timedelta(0) <= max_staleness <= LONGEST_MAX_STALENESS:
            raise ValueError(f"max_staleness: from 0 to {LONGEST_MAX_STALENESS}")
        self._ask = ask
        self._ttl = max_staleness.total_seconds()
        self._patience = patience.total_seconds()
        self._monotonic = monotonic
        self._active = _Remembered(MAX_ACTIVE)
        self._inactive = _Remembered(MAX_INACTIVE)
        self.forked()
        survives_forks(self)

    def forked(self) -> None:
        self._lock = threading.Lock()

    def known(self, digest: bytes) -> tuple[Verdict, float] | None:
        """What is remembered of an active key with this SHA-256, and when it was asked for."""
        with self._lock:
            entry = self._active.get(digest, self._monotonic())
        return None if entry is None else (entry[0], entry[1] - self._ttl)

    def drop(self, digest: bytes) -> None:
        """Forget what was said of a key: something newer is known."""
        with self._lock:
            self._active.drop(digest)

    def on(self, learnt: Learnt, key: str, acting: Acting | None = None) -> Verdict:
        """What the issuer says of this key. Raises Pending where it has to be asked.

        What it says of a service credential that acts for somebody is remembered beside, under
        credential, organization and mode together; no credential has a blank in it.
        """
        asks = (key,) if acting is None else (key, acting)
        digest = key_digest(key if acting is None else " ".join((key, *map(str, acting))))
        # What was asked for this very decision counts, even if it may not be remembered.
        verdict: Verdict | None = learnt.get((self, digest)) or self._remembered(digest)
        if verdict is None:
            talk = partial(self._asked, digest, asks)
            raise Pending(Question((self, digest), talk, self._patience))
        return verdict

    def _remembered(self, digest: bytes) -> Verdict | None:
        with self._lock:
            now = self._monotonic()
            known = self._active.get(digest, now) or self._inactive.get(digest, now)
        return None if known is None else known[0]

    def _asked(self, digest: bytes, asks: tuple[Any, ...]) -> Talk[Verdict]:
        known, asked_at = self._remembered(digest), self._monotonic()
        if known is not None:
            return known  # another one has been told, a moment ago
        verdict = yield from self._ask(*asks)
        with self._lock:
            if isinstance(verdict, Introspection):
                self._active.put(digest, verdict, asked_at + self._ttl)
            else:
                self._inactive.put(digest, verdict, asked_at + min(NEGATIVE_TTL, self._ttl))
        return verdict
