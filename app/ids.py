"""Identifiers: sortable ones for rows, unguessable ones for tokens and requests."""

from __future__ import annotations

import os
import secrets
import time
from base64 import urlsafe_b64encode
from binascii import hexlify
from collections import deque
from datetime import UTC, datetime, timedelta

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, lower case: no i, l, o, u."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LATEST = 0xFFFFFFFFFFFFFF

_CHUNK = 16
_CHUNKS_AT_ONCE = 256
_chunks: deque[bytes] = deque()
# A child process must not go on with its parent's random bytes.
os.register_at_fork(after_in_child=_chunks.clear)


def new_id(prefix: str, at: datetime | None = None) -> str:
    """``prefix_`` + 10 digits of milliseconds + 16 random digits (80 bits); sorts by creation."""
    now = time.time_ns() // 1_000_000 if at is None else (at - _EPOCH) // _MILLISECOND
    return f"{prefix}_{_base32(now, 10)}{_base32(secrets.randbits(80), 16)}"


def event_id(nanoseconds: int) -> str:
    """``evt_`` + 14 hex digits of microseconds + 16 random ones; sorts by time."""
    return f"evt_{nanoseconds // 1000:014x}{hexlify(_random_chunk()[:8]).decode()}"


def record_id(at: datetime) -> str:
    """``rec_`` + the same digits: a single request of the usage log."""
    return f"{record_ids_from(at)}{hexlify(_random_chunk()[:8]).decode()}"


def record_ids_from(at: datetime) -> str:
    """Below this lies each ``record_id`` of an earlier time, and none of this one or a later."""
    return f"rec_{_microseconds(at)}"


def event_ids_from(at: datetime, later: int = 0) -> str:
    """Below this lies each ``event_id`` of a time before ``at`` and so many microseconds."""
    return f"evt_{_microseconds(at, later)}"


def _microseconds(at: datetime, later: int = 0) -> str:
    since_epoch = (at - _EPOCH) // timedelta(microseconds=1) + later
    return f"{min(max(since_epoch, 0), _LATEST):014x}"


def record_time(record_id: str) -> datetime:
    """The time that such an id tells."""
    return _EPOCH + timedelta(microseconds=int(record_id[4:18], 16))


def new_jti() -> str:
    """An unguessable token id (RFC 7519 §4.1.7): milliseconds and 128 random bits, base64url.

    It begins with the time so that the audit log's index grows at one end, not everywhere.
    """
    now = (time.time_ns() // 1_000_000).to_bytes(6, "big")
    return urlsafe_b64encode(now + _random_chunk())[:30].decode()


def new_request_id() -> str:
    """``req_``, 14 hex digits of microseconds and 10 random ones; always ours, so that nobody can
    write into our logs."""
    return f"req_{time.time_ns() // 1000:014x}{hexlify(_random_chunk()[:5]).decode()}"


def _random_chunk() -> bytes:
    """16 bytes of ``os.urandom``, asked for by the page: three system calls a grant add up to as
    much as the rest of its bookkeeping. Taking from a deque is atomic, so no two threads share."""
    try:
        return _chunks.popleft()
    except IndexError:
        page = os.urandom(_CHUNK * _CHUNKS_AT_ONCE)
        _chunks.extend(page[at : at + _CHUNK] for at in range(_CHUNK, len(page), _CHUNK))
        return page[:_CHUNK]


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
