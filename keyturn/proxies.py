"""What a request behind proxies says of its client: believed from the proxies one has named."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from keyturn.restrictions import IPAddress, IPNetwork


@dataclass(frozen=True, slots=True)
class Proxies:
    """The networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.

    >>> proxies = Proxies.of(["10.0.0.0/8"])
    >>> proxies.client_address("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2")
    '198.51.100.7'
    >>> proxies.client_address("203.0.113.9", "198.51.100.7")
    '203.0.113.9'
    """

    trusted: tuple[IPNetwork, ...] = ()

    @classmethod
    def of(cls, trusted: Iterable[str]) -> Proxies:
        """From addresses or CIDR ranges. Raises ValueError."""
        return cls(tuple(ipaddress.ip_network(one) for one in trusted))

    def client_address(self, peer: str | None, forwarded_for: str = "") -> str | None:
        """The peer, or behind trusted proxies the rightmost address that is none of them.

        The leftmost one is what the client claims, and anybody can claim.
        """
        if not self.trusted or peer is None or not self._trusts(peer):
            return peer
        for hop in reversed(forwarded_for.split(",")):
            address = hop.strip()
            if not address:
                break
            if not self._trusts(address):
                return str(parsed_address(address) or peer)
        return peer

    def is_secure(self, peer: str | None, scheme: str, forwarded_proto: str = "") -> bool:
        """Whether the client came by https, as far as somebody trusted says.

        >>> proxies = Proxies.of(["10.0.0.0/8"])
        >>> proxies.is_secure("10.0.0.1", "http", "https")
        True
        >>> proxies.is_secure("203.0.113.9", "http", "https")
        False
        """
        if forwarded_proto and peer is not None and self._trusts(peer):
            # Of a list the last one, which is what the nearest proxy saw.
            scheme = forwarded_proto.rpartition(",")[2].strip().lower()
        return scheme == "https"

    def _trusts(self, address: str) -> bool:
        parsed = parsed_address(address)
        return parsed is not None and any(parsed in network for network in self.trusted)


def parsed_address(text: str) -> IPAddress | None:
    """An address as it is compared: IPv4 also where a socket of both kinds shows it as IPv6."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None  # any text of any length may stand behind the `%`
        return address.ipv4_mapped or address
    return address
