"""Where an issuer's endpoints are: its metadata, read and remembered (RFC 8414)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from keyturn import wire
from keyturn.asking import FetchFailed, require_safe_url
from keyturn.talks import Question, Request, Talk

WELL_KNOWN = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
DEFAULT_LIFETIME = timedelta(hours=1)
_RETRY_AFTER = 5.0


def metadata_url(issuer: str) -> str:
    """The address of an issuer's metadata; a path of the issuer goes behind the well-known part.

    >>> metadata_url("https://example.com/tenant1")
    'https://example.com/.well-known/oauth-authorization-server/tenant1'
    """
    parts = urlsplit(issuer)
    path = WELL_KNOWN + parts.path.rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def openid_url(issuer: str) -> str:
    """Where servers for OpenID Connect have it: behind the path (OpenID Connect Discovery §4).

    >>> openid_url("https://example.com/tenant1")
    'https://example.com/tenant1/.well-known/openid-configuration'
    """
    return issuer.rstrip("/") + OPENID


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is used of the document."""

    jwks_uri: str | None
    introspection_endpoint: str | None
    token_endpoint: str | None
    token_endpoint_auth_methods: tuple[str, ...]

    @classmethod
    def read(cls, body: bytes, issuer: str) -> Metadata:
        """Raises FetchFailed when it is another issuer's, or not a metadata document."""
        try:
            members = wire.json_object(body)
            # RFC 8414 §3.3: identical, or it must not be used: this is what stops a mix-up.
            if members.get("issuer") != issuer:
                raise FetchFailed(detail=f"metadata of another issuer than {issuer}")
            return cls(
                _optional_url(members, "jwks_uri"),
                _optional_url(members, "introspection_endpoint"),
                _optional_url(members, "token_endpoint"),
                wire.texts(members, "token_endpoint_auth_methods_supported"),
            )
        except (wire.Unreadable, ValueError) as error:
            detail = error.detail if isinstance(error, wire.Unreadable) else str(error)
            raise FetchFailed(detail=f"metadata of {issuer}: {detail}") from None


def _optional_url(members: dict[str, Any], name: str) -> str | None:
    url = wire.optional_text(members, name)
    return url and require_safe_url(url, name)


class Discovery:
    """An issuer's metadata, asked for when it is needed and once an hour; kept when that fails.

    What it says comes of talks, which `Fetch.hold` holds.
    """

    def __init__(
        self,
        issuer: str,
        lifetime: timedelta = DEFAULT_LIFETIME,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._lifetime = lifetime.total_seconds()
        self._monotonic = monotonic
        self._held: Metadata | None = None
        self._failure = ""
        self._due_at = float("-inf")

    def jwks_uri(self) -> Talk[str]:
        """Where the keys are. Raises FetchFailed."""
        return self._named((yield from self.metadata()).jwks_uri, "keys")

    def introspection_endpoint(self) -> Talk[str]:
        """Where tokens and keys are asked about. Raises FetchFailed."""
        metadata = yield from self.metadata()
        return self._named(metadata.introspection_endpoint, "introspection endpoint")

    def token_endpoint(self) -> Talk[str]:
        """Where tokens are issued. Raises FetchFailed."""
        return self._named((yield from self.metadata()).token_endpoint, "token endpoint")

    def _named(self, url: str | None, what: str) -> str:
        if url is None:
            raise FetchFailed(detail=f"{self._issuer} has no {what}")
        return url

    def metadata(self) -> Talk[Metadata]:
        """All that is used of it. Raises FetchFailed."""
        if self._monotonic() >= self._due_at:
            yield Question(self, self._renew)
        if self._held is None:
            raise FetchFailed(detail=self._failure)
        return self._held

    def _renew(self) -> Talk[None]:
        if self._monotonic() < self._due_at:
            return  # another one has, a moment ago
        try:
            self._held, self._failure = (yield from self._ask()), ""
            self._due_at = self._monotonic() + self._lifetime
        except FetchFailed as error:
            # Also for those that come next: one by one, they would wait for ever.
            self._failure = error.detail
            self._due_at = self._monotonic() + _RETRY_AFTER

    def _ask(self) -> Talk[Metadata]:
        url = metadata_url(self._issuer)
        answer = yield Request("GET", url)
        if 400 <= answer.status < 500:
            url = openid_url(self._issuer)
            answer = yield Request("GET", url)
        if answer.status != 200:
            raise FetchFailed(detail=f"GET {url}: status {answer.status}")
        return Metadata.read(answer.body, self._issuer)
