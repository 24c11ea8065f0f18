"""Coarse networks: enough to see that a credential is used from somewhere else, too little to
follow a person."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

IPV4_BITS = 24
IPV6_BITS = 48


@lru_cache(maxsize=4096)
def coarse_network(ip: str | None) -> str | None:
    """The /24 of an IPv4 address, the /48 of an IPv6 address; None for what is no address.

    >>> coarse_network("192.0.2.77"), coarse_network("2001:db8:1:2::3")
    ('192.0.2.0/24', '2001:db8:1::/48')
    """
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return None
    # A dual-stack socket shows 192.0.2.1 as ::ffff:192.0.2.1.
    address = getattr(address, "ipv4_mapped", None) or address
    bits = IPV4_BITS if address.version == 4 else IPV6_BITS
    # By its bytes: a link-local address may name its zone, which no network does.
    return str(ipaddress.ip_network((address.packed, bits), strict=False))


def is_coarse(network: str) -> bool:
    """Whether it is written as ``coarse_network`` writes it."""
    address, separator, _ = network.partition("/")
    return bool(separator) and coarse_network(address) == network
