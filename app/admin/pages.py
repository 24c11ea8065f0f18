"""Lists by cursor: a page of values, and where the next one begins."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from app.errors import Invalid

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
AT_ONCE = 500
"""Rows that are read at once when all are wanted."""
LOOKED_AT = 50_000
"""Rows, at most, for a page of what no index finds: some 50 ms."""
_LONGEST_CURSOR = 1024

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list; ``next_cursor`` is None on the last page."""

    data: tuple[T, ...]
    next_cursor: str | None = None


def read_limit(limit: int) -> int:
    """Raises Invalid unless it lies in 1..200."""
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"limit must lie between 1 and {MAX_LIMIT}", field="limit")
    return limit


def read_cursor(cursor: str | None) -> str | None:
    """What the list goes on behind. Raises Invalid for anything that is no cursor of ours."""
    if cursor is None:
        return None
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        text = urlsafe_b64decode(padded.encode("ascii")).decode("ascii")
        if not text.isprintable() or not text:
            raise ValueError
    except ValueError:  # UnicodeError and binascii.Error among them
        raise Invalid("cursor is not one that a list has given", field="cursor") from None
    return text


def write_cursor(last: str) -> str:
    """The cursor of the page behind this entry."""
    return urlsafe_b64encode(last.encode("ascii")).rstrip(b"=").decode()


def page_of(
    rows: Sequence[R], limit: int, key: Callable[[R], str], view: Callable[[R], T]
) -> Page[T]:
    """A page of what was read with ``limit + 1``: the one too many tells that there is more."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(tuple(view(row) for row in shown), write_cursor(key(shown[-1])) if more else None)


def going_on(page: Page[T], least: str | None) -> Page[T]:
    """The page of a search that looked no further than to ``least``: it may be short, or empty, and
    still says where to go on."""
    if page.next_cursor is None and least is not None:
        return replace(page, next_cursor=write_cursor(least))
    return page


def every_row(
    read: Callable[[str | None, int], Sequence[R]], before: str | None, key: Callable[[R], str]
) -> Iterator[R]:
    """All rows of a list, page by page: some at a time are in memory, and no transaction lasts
    while somebody reads. ``read`` takes where to go on, and how many."""
    while True:
        found = read(before, AT_ONCE)
        yield from found
        if len(found) < AT_ONCE:
            return
        before = key(found[-1])


def page_in_memory(
    rows: Sequence[R],
    limit: int,
    cursor: str | None,
    key: Callable[[R], str],
    view: Callable[[R], T],
) -> Page[T]:
    """A page of a short list that was read whole, in the order of ``key``."""
    after = read_cursor(cursor)
    ordered = sorted(rows, key=key)
    rest = [row for row in ordered if after is None or key(row) > after]
    return page_of(rest[: limit + 1], limit, key, view)
