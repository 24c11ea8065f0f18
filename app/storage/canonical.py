"""An audit event as bytes that everybody computes alike: canonical JSON (RFC 8785) and its hash.

Free of SQL: who checks an export (``app.admin.audit_verify``) has no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson

GENESIS = bytes(32)
"""What the first row of a chain names as the hash before it."""

INSTALLATION = "installation"
"""The stream of administrative acts that belong to no organization."""

_LARGEST = 2**53 - 1


LANES = 8
"""Into so many an organization's token events go, by node; never fewer, for chains stay."""


def stream_of(organization_id: str | None, lane: int | None = None) -> str:
    """The chain of an organization's administrative acts, or one of those of its token events."""
    home = organization_id or INSTALLATION
    return home if lane is None else f"{home}/{lane}"


def streams_of(home: str) -> list[str]:
    """This chain of administrative acts, and those of token events that can stand below it."""
    return [home, *(f"{home}/{lane}" for lane in range(LANES))]


def home_of(stream: str) -> str:
    """The chain of administrative acts that stands above this one, or is it."""
    return stream.partition("/")[0]


def canonical(value: Any) -> bytes:
    """RFC 8785 of strings, whole numbers, booleans, null, arrays and objects with ASCII names.

    Raises ValueError for anything else. Fractions stay out, so that nobody who checks a chain
    has to print them like ECMAScript; ASCII names, because only they sort alike everywhere.
    """
    require_canonical(value)
    return _dumped(value)


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:  # half a surrogate pair
        raise ValueError(str(error)) from None


def require_canonical(value: Any, depth: int = 16) -> None:
    """Raises ValueError for what has no canonical form, or is nested more deeply than that."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return
    if kind is int:
        if not -_LARGEST <= value <= _LARGEST:
            raise ValueError("a number is too large to be the same everywhere")
    elif depth == 0:
        raise ValueError("nested too deeply")
    elif kind is dict:
        for name, member in value.items():
            if type(name) is not str or not name.isascii():
                raise ValueError("the name of a member is not ASCII")
            if type(member) is not str and member is not None:  # spares most of the calls
                require_canonical(member, depth - 1)
    elif kind is list or kind is tuple:
        for member in value:
            require_canonical(member, depth - 1)
    else:
        raise ValueError(f"{kind.__name__} has no canonical form")


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as ``audit_events`` has it, as the JSON object that is hashed: all but ``hash``."""
    event = {
        **row,
        "time": instant(row["time"]),
        "previous_hash": row["previous_hash"].hex(),
    }
    event.pop("hash", None)
    return event


def hash_of(document: Mapping[str, Any]) -> bytes:
    """The hash of a row, of what ``document`` has made of it. Its details have a canonical form;
    of the other columns' types all values have one."""
    return sha256(_dumped(document)).digest()


def instant(time: datetime) -> str:
    """RFC 3339 in UTC, always with microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def instant_of(nanoseconds: int) -> str:
    """The same of an instant since 1970. Raises ValueError and OverflowError."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1000:06}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[: -len("+00:00")]
