"""Where two engines really exist: the narrow protocols between the rooms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol

Clock = Callable[[], datetime]
"""Now, as an aware UTC datetime."""

RandomBytes = Callable[[int], bytes]


class EventSink(Protocol):
    """Takes what must be remembered of a request, before its answer leaves."""

    def append(self, line: bytes) -> None:
        """Remember one line (JSON, ending in a newline). Raises Unavailable, never forgets."""


class Count(NamedTuple):
    """What a counter has become, and when its window ends."""

    used: int
    ends_at: int
    """Seconds since the epoch."""


class Counter(Protocol):
    """Counts in windows, for all who share it."""

    def hit(self, name: str, window: int, cost: int = 1) -> Count:
        """Add ``cost`` in the present window of so many seconds. Raises Unavailable."""


class ReplayGuard(Protocol):
    """Remembers what may come once, for all who share it."""

    def is_first(self, name: str, until: float) -> bool:
        """Whether it was not there yet; it is remembered until then (seconds since the epoch). Of
        several at once one is first. Raises Unavailable, never guesses."""


class Signer(Protocol):
    """Makes a compact JWS (RFC 7515 §3.1) of a payload."""

    kid: str
    algorithm: str

    def sign(self, payload: bytes) -> str:
        """The signed token, its header ``{"alg", "kid", "typ"}`` prepared once."""

    def sign_as(self, type: str, payload: bytes) -> str:
        """A statement of another kind, which by its ``typ`` nobody takes for an access token."""
