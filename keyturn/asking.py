"""How the issuer is asked over HTTP: https only, no redirects, bounded in time and size."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from keyturn.errors import KeyturnError
from keyturn.talks import Answer, Request

if TYPE_CHECKING:
    import httpx

_MAX_RETRY_AFTER = 300


class FetchFailed(KeyturnError):
    """The issuer could not be asked, or did not answer as it should; `detail` says how."""

    code = "fetch_failed"
    default_description = "The issuer did not answer"


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


def trusts_environment(url: str) -> bool:
    """Whether proxies and the like that the environment names are for this address."""
    return not is_loopback(urlsplit(url).hostname or "")


@contextmanager
def asking(request: Request) -> Iterator[dict[str, str]]:
    """The headers to send with it; whatever goes wrong inside is FetchFailed."""
    import httpx

    try:
        require_safe_url(request.url)
        # identity: a few bytes of gzip would otherwise become any number of them in memory.
        yield {"accept": "application/json", **request.headers, "accept-encoding": "identity"}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # Not str(error): it may quote what was sent.
        raise _failed(request, type(error).__name__) from None


def not_in_time(request: Request, seconds: float) -> FetchFailed:
    """What to raise when an answer is not complete after all that time."""
    return _failed(request, f"not complete in {seconds} s")


def _failed(request: Request, why: str) -> FetchFailed:
    return FetchFailed(detail=f"{request.method} {request.url}: {why}")


class Body:
    """What has arrived of an answer. Raises FetchFailed for one that is compressed or too long."""

    def __init__(self, request: Request, response: httpx.Response) -> None:
        self._request = request
        self._response = response
        self._content = bytearray()
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _failed(request, "compressed answer")

    def add(self, chunk: bytes) -> None:
        self._content += chunk
        if len(self._content) > self._request.limit:
            raise _failed(self._request, f"more than {self._request.limit} bytes")

    def answer(self) -> Answer:
        return Answer(self._response.status_code, bytes(self._content), self._response.headers)
