"""Identifiers: sortable ones for rows, unguessable ones for tokens."""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64encode
from binascii import hexlify
from os import urandom

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, lower case: no i, l, o, u."""


def new_id(prefix: str) -> str:
    """``prefix_`` + 10 digits of milliseconds + 16 random digits (80 bits); sorts by creation."""
    return f"{prefix}_{_base32(time.time_ns() // 1_000_000, 10)}{_base32(secrets.randbits(80), 16)}"


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def event_id(nanoseconds: int) -> str:
    """``evt_`` + 14 hex digits of microseconds + 16 random ones: made on every grant, so cheap."""
    return "evt_%014x%s" % (nanoseconds // 1000, hexlify(urandom(8)).decode())  # noqa: UP031


def new_jti() -> str:
    """An unguessable token id (RFC 7519 §4.1.7): 128 bits, base64url."""
    return urlsafe_b64encode(urandom(16))[:22].decode()
