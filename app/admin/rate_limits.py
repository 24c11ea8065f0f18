"""Rate limits as people write them: ``100/minute``, or ``30/minute:bookings`` for one class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from app.errors import Invalid
from keyturn.limits.values import MAX_AMOUNT, WINDOWS

RateLimitInput: TypeAlias = str | Mapping[str, Any]
"""``LIMIT/WINDOW[:CLASS]``, or a mapping with ``limit``, ``window`` and maybe ``class``."""

MAX_LIMITS = 32

_CLASS = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,31})")
_WRITTEN = re.compile(r"(?P<limit>[0-9]{1,10})/(?P<window>[a-z]+)(?::(?P<route_class>.+))?")


def is_route_class(text: str) -> bool:
    """Whether a class of a resource server's routes can be called that."""
    return _CLASS.fullmatch(text) is not None


def read_rate_limits(limits: Iterable[RateLimitInput]) -> list[dict[str, Any]]:
    """Parsed and each once: ``{"limit", "window", "class"}``. Raises Invalid, naming the field.

    Several windows may hold at once (30/minute and 100/day), but one class has one limit in each.
    """
    read: list[dict[str, Any]] = []
    for number, one in enumerate(limits):
        if number >= MAX_LIMITS:
            raise _refused(f"at most {MAX_LIMITS} entries")
        parsed = _from_text(one) if isinstance(one, str) else _from_mapping(one)
        same = [each for each in read if _place(each) == _place(parsed)]
        if same and same[0] != parsed:
            raise _refused(f"two limits for the same {parsed['window']}")
        if not same:
            read.append(parsed)
    return read


def _place(limit: Mapping[str, Any]) -> tuple[Any, Any]:
    return limit["window"], limit["class"]


def _from_text(text: str) -> dict[str, Any]:
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise _refused("write LIMIT/WINDOW, as 100/minute, or LIMIT/WINDOW:CLASS")
    return _checked(int(found["limit"]), found["window"], found["route_class"])


def _from_mapping(given: Mapping[str, Any]) -> dict[str, Any]:
    if not {"limit", "window"} <= given.keys() <= {"limit", "window", "class"}:
        raise _refused("an entry has limit, window and maybe class")
    return _checked(given["limit"], given["window"], given.get("class"))


def _checked(limit: Any, window: Any, route_class: Any) -> dict[str, Any]:
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_AMOUNT:
        raise _refused(f"limit must lie between 1 and {MAX_AMOUNT}")
    if window not in WINDOWS:
        raise _refused(f"window must be one of: {', '.join(WINDOWS)}")
    if route_class is not None and not (
        isinstance(route_class, str) and is_route_class(route_class)
    ):
        raise _refused("class must have up to 32 lower-case letters, digits, '.', '_' or '-'")
    return {"limit": limit, "window": window, "class": route_class}


def _refused(why: str) -> Invalid:
    return Invalid(f"rate_limits: {why}", field="rate_limits")
