"""Protected resource metadata: where a client learns which issuer an API trusts (RFC 9728)."""

from __future__ import annotations

import json
from collections.abc import Collection, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from keyturn.asking import require_safe_url

WELL_KNOWN = "/.well-known/oauth-protected-resource"
HEADERS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "public, max-age=300"),
    # Nothing in it is a secret, and clients in browsers look for it, too.
    ("Access-Control-Allow-Origin", "*"),
)


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """An API as its clients find it. Raises ValueError for an identifier that is no https URL.

    >>> api = ProtectedResource("https://api.example.com/v1", ("https://auth.example.com",))
    >>> api.url
    'https://api.example.com/.well-known/oauth-protected-resource/v1'
    >>> api.document(["bookings:read"])["scopes_supported"]
    ['bookings:read']
    """

    resource: str
    """Its identifier: the audience of its tokens, and below which its paths are."""
    authorization_servers: tuple[str, ...]
    name: str = ""
    scopes: tuple[str, ...] = ()
    """Those that no route policy names, for a decorator, a dependency or a permission asks them."""

    def __post_init__(self) -> None:
        if "?" in require_safe_url(self.resource, "resource"):
            raise ValueError(f"resource: has no query: {self.resource!r}")

    @classmethod
    def of(cls, audience: str | Collection[str], issuer: str) -> ProtectedResource | None:
        """That of a verifier: its first audience that is an address, and not the issuer's own."""
        named = [audience] if isinstance(audience, str) else audience
        for one in sorted(named) if isinstance(named, Set) else named:
            with suppress(ValueError):
                if one != issuer:
                    return cls(one, (issuer,))
        return None

    @property
    def path(self) -> str:
        """Where it is served: a path of the resource goes behind the well-known part (§3.1).

        >>> ProtectedResource("https://api.example.com/", ()).path
        '/.well-known/oauth-protected-resource'
        """
        path = urlsplit(self.resource).path
        return WELL_KNOWN + ("" if path == "/" else path)

    @property
    def url(self) -> str:
        """Where clients find it. As the identifier says, not as a request does: a Host header is
        anybody's."""
        parts = urlsplit(self.resource)
        return urlunsplit((parts.scheme, parts.netloc, self.path, "", ""))

    def document(self, scopes: Collection[str] = ()) -> dict[str, Any]:
        """The metadata (§2); `scopes`: all that some route asks for."""
        members: dict[str, Any] = {
            "resource": self.resource,
            "authorization_servers": list(self.authorization_servers),
            "scopes_supported": sorted({*self.scopes, *scopes}),
            "bearer_methods_supported": ["header"],
            "resource_name": self.name,
        }
        return {name: value for name, value in members.items() if value}

    def body(self, scopes: Collection[str] = ()) -> bytes:
        """The same as it is sent, with `HEADERS`."""
        return json.dumps(self.document(scopes)).encode()
