"""Read JSON objects and base64url from the wire: one meaning or none (RFC 8259 §4, RFC 7515 §2)."""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable
from typing import Any, NoReturn, cast

from keyturn.errors import KeyturnError

# Seconds since 1970 up to the year 9999, the last one a datetime can hold.
_LAST_INSTANT = 253402300799
# To the alphabet that binascii reads; "+", "/" and "=" become something it refuses.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", None, b"==", b"=")


class Unreadable(KeyturnError):
    """Bytes that are not what they should be; the caller of the parser knows what that means."""

    code = "malformed"
    default_description = "The document is malformed"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two parsers that disagree about a repeated member disagree about who is let in.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unreadable(detail="a JSON member is repeated")
    return members


def _no_constant(name: str) -> NoReturn:
    raise Unreadable(detail=f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
# Without a look for blanks around the object, which costs a seventh of the time.
_scan = cast("Callable[[str, int], tuple[Any, int]]", _DECODER.scan_once)  # type: ignore[attr-defined]


def json_object(data: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8. Raises Unreadable; `data` must have been bounded before.

    >>> json_object(b'{"alg": "ES256"}')
    {'alg': 'ES256'}
    """
    try:
        # Not json.loads(data), which would also take UTF-16 and UTF-32.
        text = data.decode("utf-8")
        members, end = _scan(text, 0) if text[:1] == "{" else (None, -1)
        if end != len(text):
            members = _DECODER.decode(text)
    except (ValueError, RecursionError, StopIteration) as error:
        raise Unreadable(detail=f"not JSON: {type(error).__name__}") from None
    if type(members) is not dict:
        raise Unreadable(detail="not a JSON object")
    return members


def base64url(segment: bytes) -> bytes:
    """Base64url without padding; any other character is refused, not skipped. Raises Unreadable.

    >>> base64url(b"aGk")
    b'hi'
    """
    padding = _PADDING[len(segment) % 4]
    if padding is None:
        raise Unreadable(detail="not base64url")
    try:
        return binascii.a2b_base64(segment.translate(_TO_STANDARD) + padding, strict_mode=True)
    except binascii.Error:
        raise Unreadable(detail="not base64url") from None


def text(members: dict[str, Any], name: str) -> str:
    """A member that must be a string with something in it. Raises Unreadable."""
    value = members.get(name)
    if type(value) is not str or not value:
        raise Unreadable(detail=f"{name} is not a string")
    return value


def optional_text(members: dict[str, Any], name: str) -> str | None:
    """The same for a member that may be absent; null is not absent."""
    return text(members, name) if name in members else None


def instant(members: dict[str, Any], name: str) -> int:
    """A NumericDate (RFC 7519 §2), rounded down to the second; `true` is not a number."""
    value = members.get(name)
    if type(value) is not int and type(value) is not float:
        raise Unreadable(detail=f"{name} is not a number")
    # Written so that it also refuses what a number of 400 digits is read as.
    if not 0 <= value <= _LAST_INSTANT:
        raise Unreadable(detail=f"{name} is out of range")
    return int(value)


def optional_instant(members: dict[str, Any], name: str) -> int | None:
    """The same for a member that may be absent."""
    return instant(members, name) if name in members else None


def texts(members: dict[str, Any], name: str) -> tuple[str, ...]:
    """A string or a list of strings, as `aud` is written (RFC 7519 §4.1.3); absent is empty."""
    value = members.get(name, [])
    if type(value) is str:
        return (value,)
    if type(value) is not list or not all(type(item) is str for item in value):
        raise Unreadable(detail=f"{name} is neither a string nor a list of strings")
    return tuple(value)


def optional_object(members: dict[str, Any], name: str) -> dict[str, Any] | None:
    """An object that may be absent. Raises Unreadable."""
    value = members.get(name)
    if name in members and type(value) is not dict:
        raise Unreadable(detail=f"{name} is not an object")
    return value
