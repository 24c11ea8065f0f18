"""A deadline for a whole exchange over HTTP.

httpx bounds each wait by itself: a server that sends a byte of its header lines now and then could
go on for hours. Here each wait of a connection gets what is left of the time, and no more.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from typing import Any

import httpcore
import httpx

_ends_at: ContextVar[float] = ContextVar("ends_at", default=inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What a `bounded` client waits for in this block, it waits for so long altogether."""
    before = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(before)


def client(trust_env: bool) -> httpx.Client:
    """One that keeps deadlines, through proxies of the environment, too."""
    return bounded(httpx.Client(trust_env=trust_env))


def bounded(client: httpx.Client) -> httpx.Client:
    """The same client, which keeps deadlines now, and outside of `within` waits as before.

    Of what it sends by httpx's own transport, over connections that are made from now on; a
    transport of another make bounds its waits by itself.
    """
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            # httpx has no parameter for it; httpcore, which does the waiting, has.
            pool = transport._pool
            if not isinstance(pool._network_backend, _Backend):
                pool._network_backend = _Backend(pool._network_backend)
    return client


def _left(timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
    left = _ends_at.get() - time.monotonic()
    if left <= 0:
        raise late
    return timeout if left == inf else left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, left, local_address, socket_options))

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_unix_socket(path, left, socket_options))
