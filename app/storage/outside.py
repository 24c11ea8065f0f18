"""Fetch what a stranger has named an address for, and nothing else (SSRF).

https alone, no redirect, no proxy, no credential; only public addresses, unless a setting names
the network; the address that was checked is the one that is connected to; bounded in bytes and in
time, the reading of headers included.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Collection
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from app.knobs import Network

TIMEOUT = 3.0
"""Seconds for everything."""
MAX_BYTES = 64 * 1024

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class OutsideRefused(Exception):
    """It was not fetched, or is nothing to be read; the text says why, in a word."""


def fetch(url: str, private: Collection[Network] = (), timeout: float = TIMEOUT) -> bytes:
    """The body of a 200. Raises OutsideRefused. ``private``: networks that may be asked too."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        raise OutsideRefused("url") from None
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise OutsideRefused("url")
    connection = _Pinned(parts.hostname, port, private, timeout)
    # A socket's timeout is for one read; this ends them all, however slowly they drip.
    deadline = threading.Timer(timeout, connection.abort)
    deadline.daemon = True
    deadline.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise OutsideRefused(f"status_{response.status}")
        body = response.read(MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise OutsideRefused(type(error).__name__) from None
    finally:
        deadline.cancel()
        connection.close()
    if connection.is_over:  # an end in the midst of headers reads like one behind them
        raise OutsideRefused("timeout")
    if len(body) > MAX_BYTES:
        raise OutsideRefused("too_large")
    return body


class _Pinned(HTTPSConnection):
    """Connects to an address that was looked at: a name may mean another one a moment later."""

    def __init__(self, host: str, port: int, private: Collection[Network], timeout: float) -> None:
        self._trust = ssl.create_default_context()
        super().__init__(host, port, timeout=timeout, context=self._trust)
        self._private = private
        self.is_over = False

    def connect(self) -> None:
        plain = socket.create_connection(self._address(), self.timeout)
        self.sock = plain  # so that the deadline finds it during the handshake
        self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)

    def abort(self) -> None:
        """The time is over: whoever reads gets an end."""
        self.is_over = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                self.sock.close()

    def _address(self) -> tuple[str, int]:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        addresses = [str(place[0]) for *_, place in found]
        # All of them: a name that is partly ours is a trick.
        if not addresses or not all(self._may_ask(one) for one in addresses):
            raise OutsideRefused("address")
        if self.is_over:
            raise OutsideRefused("timeout")
        return addresses[0], self.port

    def _may_ask(self, text: str) -> bool:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address):
            # What carries an IPv4 address inside leads to it.
            inside = address.ipv4_mapped or address.sixtofour
            if inside is not None:
                address = inside
        if any(address in network for network in self._private):
            return True
        return address.is_global and not address.is_multicast
