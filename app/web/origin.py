"""Where a request comes from: the address of its client, behind proxies too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.knobs import Network
from app.records import Origin
from keyturn import proxies


class Proxies:
    """The networks whose forwarded headers are believed, as WSGI shows a request."""

    def __init__(self, trusted: tuple[Network, ...]) -> None:
        self._proxies = proxies.Proxies(trusted)

    def client_address(self, environ: Mapping[str, Any]) -> str | None:
        """The peer, or behind trusted proxies the rightmost address that is none of them."""
        peer: str | None = environ.get("REMOTE_ADDR")
        if "HTTP_X_FORWARDED_FOR" not in environ:
            return peer
        return self._proxies.client_address(peer, environ["HTTP_X_FORWARDED_FOR"])

    def is_secure(self, environ: Mapping[str, Any]) -> bool:
        """Whether the client came by https."""
        return self._proxies.is_secure(
            environ.get("REMOTE_ADDR"),
            environ.get("wsgi.url_scheme", "http"),
            environ.get("HTTP_X_FORWARDED_PROTO", ""),
        )

    def origin(self, environ: Mapping[str, Any], request_id: str) -> Origin:
        """What the events of this request say of where it came from."""
        agent = environ.get("HTTP_USER_AGENT", "")[:256] or None
        return Origin(request_id, self.client_address(environ), agent)
