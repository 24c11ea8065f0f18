"""Filters of a list, as they stand in the query of its page."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import request

from app.admin.pages import Page
from app.errors import Invalid
from app.web.dashboard.signed_in import actor, desk, organization_id

T = TypeVar("T")

PERIOD = ("since", "until")


def asked(names: Collection[str]) -> dict[str, Any]:
    """Those that are set, of these and of the period; a cursor belongs to the list alone."""
    found = {name: request.args.get(name, "").strip() for name in (*names, *PERIOD)}
    return {name: value for name, value in found.items() if value}


def read(names: Collection[str]) -> dict[str, Any]:
    """The same, with instants for days. Raises Invalid."""
    found = asked(names)
    return found | {name: _day(name, found[name]) for name in PERIOD if name in found}


def found(
    list_page: Callable[..., Page[T]], wanted: Callable[[], object]
) -> tuple[Page[T] | None, Invalid | None]:
    """What the use case lists by this filter, as far as the cursor; or what is wrong with that."""
    try:
        where = {"cursor": request.args.get("cursor"), "organization_id": organization_id()}
        return list_page(desk(), actor(), wanted(), **where), None
    except Invalid as error:
        return None, error


def _day(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{name} must be a date, as 2026-01-31", field=name) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
