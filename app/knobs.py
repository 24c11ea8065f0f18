"""How settings are read: each kind of value from the text of its variable.

Each raises ValueError, which says what it must be.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

from keyturn.apikey import KeyTemplate

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def issuer(value: str) -> str:
    """An issuer identifier (RFC 8414 §2): https, no query, no fragment; http on loopback only."""
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must be an absolute https URL")
    if parts.query or parts.fragment or parts.username or value.endswith("/"):
        raise ValueError("must have no query, fragment, user name or trailing slash")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https unless the host is loopback")
    return value


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def number(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        found = int(value)
        if not low <= found <= high:
            raise ValueError(f"must lie between {low} and {high}")
        return found

    return read


def seconds(low: int, high: int) -> Callable[[str], timedelta]:
    read = number(low, high)
    return lambda value: timedelta(seconds=read(value))


def days(low: int, high: int) -> Callable[[str], timedelta]:
    read = number(low, high)
    return lambda value: timedelta(days=read(value))


def one_of(*choices: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return read


def networks(value: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part) for part in value.replace(",", " ").split())


def prefix(value: str) -> str:
    # With the `s` of client secrets behind it, so that both kinds can be made.
    return KeyTemplate(prefix=value + "s").prefix[:-1]


def metrics_token(value: str) -> str:
    # Letters that travel in a header as they are, and too many to guess.
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{16,}", value):
        raise ValueError("must be at least 16 of the characters A-Z a-z 0-9 . _ ~ + / = -")
    return value


def header(value: str) -> str:
    if not re.fullmatch(r"X-[A-Za-z0-9-]{1,62}", value):
        raise ValueError("must be X- and up to 62 letters, digits and dashes")
    return value


def ratio(value: str) -> float:
    found = float(value)
    if not 0 <= found <= 1:
        raise ValueError("must lie between 0 and 1")
    return found


def url(*beginnings: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not value.startswith(beginnings):
            raise ValueError(f"must begin with {' or '.join(beginnings)}")
        return value

    return read
