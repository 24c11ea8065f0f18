"""Filters of a list, as they stand in the query of its page."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app.admin.pages import Page
from app.errors import Invalid
from app.web.api.exports import MEDIA_TYPES

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


def files(refused: Invalid | None, names: Collection[str]) -> dict[str, str]:
    """Links to the list as files, by their form; none where a filter is wrong."""
    if refused is not None:
        return {}
    return {form: url_for(".export", form=form, **asked(names)) for form in MEDIA_TYPES}


def exported(form: str, make: Callable[[], Response], names: Collection[str]) -> Response:
    """Such a file; where a filter is wrong, the list says it at that filter."""
    if form not in MEDIA_TYPES:
        raise NotFound
    try:
        return make()
    except Invalid:
        return redirect(url_for(".index", **asked(names)), 303)


def _day(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{name} must be a date, as 2026-01-31", field=name) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
