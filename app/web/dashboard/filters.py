"""Filters of a list, as they stand in the query of its page."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import request

from app.admin.pages import Page
from app.errors import Invalid

T = TypeVar("T")
R = TypeVar("R")

PERIOD = ("since", "until")


def asked(names: Collection[str]) -> dict[str, Any]:
    """Those that are set, of these and of the period; a cursor belongs to the list alone."""
    found = {name: request.args.get(name, "").strip() for name in (*names, *PERIOD)}
    return {name: value for name, value in found.items() if value}


def read(names: Collection[str]) -> dict[str, Any]:
    """The same, with instants for days. Raises Invalid."""
    found = asked(names)
    return found | {name: _day(name, found[name]) for name in PERIOD if name in found}


def found(read: Callable[[], Page[T]]) -> tuple[Page[T], Invalid | None]:
    """A page of a list; an empty one, and what is wrong, where nothing can be asked for so."""
    return tried(read, Page(()))


def tried(read: Callable[[], R], nothing: R) -> tuple[R, Invalid | None]:
    """The same of what is no list by pages."""
    try:
        return read(), None
    except Invalid as error:
        return nothing, error


def _day(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{name} must be a date, as 2026-01-31", field=name) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
