"""How the issuer is asked over HTTP: https only, no redirects, bounded in time and size."""

from __future__ import annotations

import base64
import ipaddress
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil
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


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After asks to wait, written as such or as a date (RFC 9110 §10.2.3).

    >>> retry_after("120", datetime.now(UTC))
    120.0
    >>> retry_after("Fri, 31 Dec 1999 23:59:59 GMT", datetime.now(UTC))
    0.0
    >>> retry_after("soon", datetime.now(UTC)) is None
    True
    """
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value) if len(value) < 10 else float("inf")
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    # A zone of "-0000" is read as none; HTTP knows GMT alone (RFC 9110 §5.6.7).
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def told_to_wait(answer: Answer) -> int:
    """Seconds until it is worth asking again, at most five minutes; five where it is not said."""
    told = retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
    return 5 if told is None else ceil(min(told, _MAX_RETRY_AFTER))


def trusts_environment(url: str) -> bool:
    """Whether proxies and the like that the environment names are for this address."""
    return not is_loopback(urlsplit(url).hostname or "")


@contextmanager
def asking(request: Request) -> Iterator[dict[str, str]]:
    """The headers to send with it; whatever goes wrong inside is FetchFailed."""
    import httpx

    try:
        require_safe_url(request.url)
        accepted = "gzip" if request.takes_gzip else "identity"
        yield {"accept": "application/json", **request.headers, "accept-encoding": accepted}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # Not str(error): it may quote what was sent.
        raise _failed(request, type(error).__name__) from None


def not_in_time(request: Request, seconds: float) -> FetchFailed:
    """What to raise when an answer is not complete after all that time."""
    return _failed(request, f"not complete in {seconds} s")


def _failed(request: Request, why: str) -> FetchFailed:
    return FetchFailed(detail=f"{request.method} {request.url}: {why}")


class Body:
    """What has arrived of an answer. Raises FetchFailed for one that is too long, or compressed
    where that was not asked for."""

    def __init__(self, request: Request, response: httpx.Response) -> None:
        self._request = request
        self._response = response
        self._content = bytearray()
        self._inflating = None
        encoding = response.headers.get("content-encoding", "identity")
        if encoding == "gzip" and request.takes_gzip:
            self._inflating = zlib.decompressobj(zlib.MAX_WBITS | 16)
        elif encoding != "identity":
            raise _failed(request, "compressed answer")

    def add(self, chunk: bytes) -> None:
        limit = self._request.limit
        if self._inflating is not None:
            # One byte more than is allowed, and no further: a few become any number of them.
            try:
                chunk = self._inflating.decompress(chunk, limit + 1 - len(self._content))
            except zlib.error:
                raise _failed(self._request, "not gzip") from None
        self._content += chunk
        if len(self._content) > limit:
            raise _failed(self._request, f"more than {limit} bytes")

    def answer(self) -> Answer:
        if self._inflating is not None and not self._inflating.eof:
            raise _failed(self._request, "broken off")
        return Answer(self._response.status_code, bytes(self._content), self._response.headers)
