"""Ask the issuer over HTTP: https only, no redirects, bounded in time and size.

The HTTP client is imported when something is asked, so that those who only read tokens do not load
it.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from keyturn.errors import KeyturnError

if TYPE_CHECKING:
    import httpx

MAX_ANSWER = 256 * 1024
"""Bytes of an answer that are read, unless said otherwise."""
DEFAULT_TIMEOUT = timedelta(seconds=5)
_MAX_RETRY_AFTER = 300

Form = Mapping[str, str | list[str]]
"""Parameters by name; a list is a parameter that is repeated."""


class FetchFailed(KeyturnError):
    """The issuer could not be asked, or did not answer as it should; `detail` says how."""

    code = "fetch_failed"
    default_description = "The issuer did not answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str]


def is_loopback(host: str) -> bool:
    """Whether only this machine can be at the other end.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("127.0.0.1.example.com")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_safe_url(url: str, name: str = "url") -> str:
    """The URL, if it is https, or http on this machine. Raises ValueError naming what it is for.

    >>> require_safe_url("https://auth.example.com", "issuer")
    'https://auth.example.com'
    >>> require_safe_url("file:///etc/passwd", "jwks_uri")
    Traceback (most recent call last):
    ValueError: jwks_uri: not an https URL: 'file:///etc/passwd'
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # raises when it is not a number
    except ValueError:
        host = ""
    safe = host and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))
    # urlsplit drops blanks and line breaks where others would send them.
    clean = url.isprintable() and " " not in url
    if not safe or not clean or parts.username is not None or parts.fragment:
        raise ValueError(f"{name}: not an https URL: {url!r}")
    return url


def basic(client_id: str, client_secret: str) -> str:
    """HTTP Basic for a client: form-encoded first (RFC 6749 §2.3.1). Only ever read to be sent."""
    pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


def told_to_wait(answer: Answer) -> int:
    """Seconds until it is worth asking again; five where the answer says nothing of it."""
    value = answer.headers.get("retry-after", "")
    return min(int(value), _MAX_RETRY_AFTER) if value.isdecimal() and len(value) < 10 else 5


class Fetch:
    """GET and POST with the rules above; safe to share between threads, and after a fork.

    `timeout` bounds a whole exchange. A `client` of one's own (for a private CA, a proxy) is used
    as it is, but its redirects are not followed.
    """

    def __init__(
        self, timeout: timedelta = DEFAULT_TIMEOUT, client: httpx.Client | None = None
    ) -> None:
        self.timeout = timeout.total_seconds()
        self._given = client
        self._lock = threading.Lock()
        self._own: dict[tuple[int, bool], httpx.Client] = {}

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, limit: int = MAX_ANSWER
    ) -> Answer:
        """One GET of at most `limit` bytes. Raises FetchFailed."""
        return self._exchange("GET", url, dict(headers or {}), limit)

    def post(self, url: str, form: Form, headers: Mapping[str, str]) -> Answer:
        """One POST of a form. Raises FetchFailed."""
        return self._exchange("POST", url, dict(headers), data=form)

    def post_json(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """One POST of a JSON object. Raises FetchFailed."""
        return self._exchange("POST", url, dict(headers), json=body)

    def close(self) -> None:
        """Close the connections that were opened here."""
        with self._lock:
            clients, self._own = self._own, {}
        for client in clients.values():
            client.close()

    def _exchange(
        self, method: str, url: str, headers: dict[str, str], limit: int = MAX_ANSWER, **body: Any
    ) -> Answer:
        import httpx

        try:
            require_safe_url(url)
            # identity: a few bytes of gzip would otherwise become any number of them in memory.
            headers = {"accept": "application/json", **headers, "accept-encoding": "identity"}
            deadline = time.monotonic() + self.timeout
            with self._client(url).stream(
                method,
                url,
                headers=headers,
                timeout=self.timeout,
                follow_redirects=False,
                **body,
            ) as response:
                content = self._body(response, deadline, limit)
                return Answer(response.status_code, content, response.headers)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # Not str(error): it may quote what was sent.
            raise FetchFailed(detail=f"{method} {url}: {type(error).__name__}") from None

    def _body(self, response: httpx.Response, deadline: float, limit: int) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise FetchFailed(detail=f"{response.url}: compressed answer")
        body = bytearray()
        # As it arrives: chunks of a given size would be waited for.
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > limit:
                raise FetchFailed(detail=f"{response.url}: more than {limit} bytes")
            # The client's timeout is for one read: a server that drips could go on for hours.
            if time.monotonic() > deadline:
                raise FetchFailed(detail=f"{response.url}: not complete in {self.timeout} s")
        return bytes(body)

    def _client(self, url: str) -> httpx.Client:
        import httpx

        if self._given is not None:
            return self._given
        # Connections do not survive a fork; proxies of the environment are not for this machine.
        trust_env = not is_loopback(urlsplit(url).hostname or "")
        place = (os.getpid(), trust_env)
        with self._lock:
            if place not in self._own:
                self._own[place] = httpx.Client(trust_env=trust_env)
            return self._own[place]
