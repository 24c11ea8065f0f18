"""From where a key may be used: networks and browser origins."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from keyturn.errors import Reason, RestrictionRefused

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Restrictions:
    """Networks and domains a key is bound to; none of a kind means that kind is not restricted.

    >>> bound = Restrictions.of(["10.0.0.0/8"], ["*.example.com"])
    >>> bound.check("10.1.2.3", "https://shop.example.com")
    >>> bound.check("192.0.2.1", "https://shop.example.com")
    Traceback (most recent call last):
    keyturn.errors.RestrictionRefused: The credential may not be used from here
    """

    networks: tuple[IPNetwork | None, ...] = ()
    """None stands for an entry that could not be read: it restricts, and matches nothing."""
    domains: tuple[str, ...] = ()
    allow_missing_origin: bool = False
    """Whether a key that is bound to domains may be used without an Origin, as servers do."""
    server_only: bool = False
    """Whether it is refused with an Origin, as browsers send it."""

    @classmethod
    def of(
        cls,
        allowed_ips: Iterable[str] = (),
        allowed_domains: Iterable[str] = (),
        *,
        allow_missing_origin: bool = False,
        server_only: bool = False,
    ) -> Restrictions:
        """From addresses or CIDR ranges, and host names or `*.` patterns."""
        return cls(
            tuple(map(_network, allowed_ips)),
            tuple(domain.lower().rstrip(".") for domain in allowed_domains),
            allow_missing_origin,
            server_only,
        )

    def check(
        self,
        ip: str | IPAddress | None,
        origin: str | None,
        *,
        allow_missing_origin: bool = False,
    ) -> None:
        """Raises RestrictionRefused; an address or origin that is not known is not allowed.

        `origin` proves something about browsers only: any other caller sends what it likes.
        `allow_missing_origin` is for keys of servers, which send none; where the key's own is
        False.
        """
        if self.server_only and origin is not None:
            raise RestrictionRefused(Reason.SERVER_ONLY, detail=f"from {origin!a:.80}")
        allow_missing_origin = allow_missing_origin or self.allow_missing_origin
        if self.networks and not self._within(ip):
            raise RestrictionRefused(Reason.IP_NOT_ALLOWED, detail=f"from {ip!a}")
        if self.domains and not (origin is None and allow_missing_origin):
            host = origin_host(origin) if origin is not None else None
            if host is None or not any(matches(host, domain) for domain in self.domains):
                raise RestrictionRefused(Reason.ORIGIN_MISMATCH, detail=f"from {origin!a}")

    def _within(self, ip: str | IPAddress | None) -> bool:
        try:
            address = ipaddress.ip_address(ip) if ip is not None else None
        except ValueError:
            return False
        # A dual-stack socket shows 192.0.2.1 as ::ffff:192.0.2.1.
        address = getattr(address, "ipv4_mapped", None) or address
        return address is not None and any(
            network is not None and address in network for network in self.networks
        )


def origin_host(origin: str) -> str | None:
    """The host of an Origin header (RFC 6454 §7); None for `null` and for anything else.

    >>> origin_host("https://Shop.Example.com:8443"), origin_host("null")
    ('shop.example.com', None)
    """
    found = _ORIGIN.fullmatch(origin.lower()) if len(origin) <= 300 else None
    return found[1].rstrip(".") if found else None


def matches(host: str, domain: str) -> bool:
    """Whether a host is the domain, or lies below it when the domain begins with `*.`.

    >>> matches("a.example.com", "*.example.com"), matches("example.com", "*.example.com")
    (True, False)
    >>> matches("evilexample.com", "*.example.com")
    False
    """
    if domain.startswith("*."):
        # The dot is part of the suffix: the boundary of a label, not of a string.
        return host.endswith(domain[1:]) and len(host) > len(domain) - 1
    return host == domain


def _network(text: str) -> IPNetwork | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
