"""Where a request comes from: the address of its client, behind proxies too."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from app.records import Origin
from app.settings import Network


class Proxies:
    """The networks whose ``X-Forwarded-For`` is believed."""

    def __init__(self, trusted: tuple[Network, ...]) -> None:
        self._trusted = trusted

    def client_address(self, environ: Mapping[str, Any]) -> str | None:
        """The peer, or behind trusted proxies the rightmost address that is none of them.

        The leftmost one is what the client claims, and anybody can claim.
        """
        peer: str | None = environ.get("REMOTE_ADDR")
        if not self._trusted or peer is None or not self._trusts(peer):
            return peer
        for hop in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            address = hop.strip()
            if not address:
                break
            if not self._trusts(address):
                return str(_parsed(address) or peer)
        return peer

    def _trusts(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)

    def origin(self, environ: Mapping[str, Any], request_id: str) -> Origin:
        """What the events of this request say of where it came from."""
        agent = environ.get("HTTP_USER_AGENT", "")[:256] or None
        return Origin(request_id, self.client_address(environ), agent)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None  # any text of any length may stand behind the `%`
        # As a socket that takes both kinds shows IPv4.
        return address.ipv4_mapped or address
    return address
