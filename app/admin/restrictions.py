"""Where a key may be used from: networks and domains as people write them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from app.admin.fields import distinct, without_userinfo
from app.errors import Invalid

MAX_ENTRIES = 100
MAX_HOST = 253

_HOST = re.compile(
    r"(?P<below>\*\.)?(?P<host>[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*)"
)


def read_networks(written: Iterable[str]) -> list[str]:
    """IPv4 and IPv6 addresses and CIDR ranges, in their usual spelling. Raises Invalid."""
    return distinct([_network(one.strip()) for one in written], "allowed_ips", MAX_ENTRIES)


def _network(text: str) -> str:
    try:
        if "%" in text:
            raise ValueError("a zone means nothing to others")
        if "/" not in text:
            return str(ipaddress.ip_address(text))
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        hint = ": its host bits must be 0" if "host bits" in str(error) else ""
        raise Invalid(
            f"Not an address or CIDR range: {text[:50]!r}{hint}", field="allowed_ips"
        ) from None


def read_domains(written: Iterable[str]) -> list[str]:
    """Host names, and ``*.host`` for everything below one, in lower case. Raises Invalid."""
    return distinct(
        [_domain(one.strip().lower()) for one in written], "allowed_domains", MAX_ENTRIES
    )


def _domain(text: str) -> str:
    found = _HOST.fullmatch(text)
    if found is None or len(text) > MAX_HOST:
        hint = "" if text.isascii() else ": write it in its xn-- form"
        shown = without_userinfo(text)[:80]
        raise Invalid(f"Not a host name or *.host: {shown!r}{hint}", field="allowed_domains")
    if found["below"] and "." not in found["host"]:
        raise Invalid(
            f"{text[:80]!r} would be everybody below a top-level domain", field="allowed_domains"
        )
    return text
