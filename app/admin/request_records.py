"""The usage log: single requests of an organization's credentials (``docs/usage.md``)."""

from __future__ import annotations

from collections.abc import Iterator

from app.admin import fields
from app.admin.desk import Desk
from app.admin.pages import (
    DEFAULT_LIMIT,
    LOOKED_AT,
    Page,
    every_row,
    going_on,
    page_of,
    read_cursor,
    read_limit,
)
from app.admin.rights import reach, require
from app.builtin import USAGE_READ
from app.records import OUTCOMES, Actor, RequestRecord
from app.storage import organizations
from app.storage import request_records as stored
from app.storage.request_records import RequestFilter

__all__ = ["RequestFilter", "every", "list_page"]

EVERY_REQUEST = RequestFilter()


def list_page(
    desk: Desk,
    actor: Actor,
    wanted: RequestFilter = EVERY_REQUEST,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
) -> Page[RequestRecord]:
    """Single requests, the youngest first. Raises Forbidden, Invalid, NotFound.

    A filter that no index serves looks at ``LOOKED_AT`` requests a page, as that of the activity.
    """
    organization_id = _organization(desk, actor, organization_id)
    limit, before = read_limit(limit), read_cursor(cursor)
    _check(wanted)
    with desk.store.reading() as session:
        least = None
        if stored.is_search(wanted):
            least = stored.horizon(
                session, organization_id, wanted, before=before, requests=LOOKED_AT
            )
        found = stored.page(
            session, organization_id, wanted, before=before, limit=limit + 1, least=least
        )
    return going_on(page_of(found, limit, lambda record: record.id, lambda record: record), least)


def every(
    desk: Desk,
    actor: Actor,
    wanted: RequestFilter = EVERY_REQUEST,
    *,
    cursor: str | None = None,
    organization_id: str | None = None,
) -> Iterator[RequestRecord]:
    """All that ``list_page`` would give, as an export reads it. Raises as it does, at once."""
    organization_id, before = _organization(desk, actor, organization_id), read_cursor(cursor)
    _check(wanted)

    def read(last: str | None, limit: int) -> list[RequestRecord]:
        with desk.store.reading() as session:
            return stored.page(session, organization_id, wanted, before=last, limit=limit)

    return every_row(read, before, lambda record: record.id)


def _organization(desk: Desk, actor: Actor, named: str | None) -> str:
    require(actor, USAGE_READ)
    organization_id = reach(actor, named, write=False)
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
    return organization_id


def _check(wanted: RequestFilter) -> None:
    for field in stored.EQUAL:
        value = getattr(wanted, field)
        if isinstance(value, str):
            fields.searched(value, field)
    if wanted.outcome is not None:
        fields.one_of(wanted.outcome, OUTCOMES, "outcome")
    for field in ("since", "until"):
        fields.with_zone(getattr(wanted, field), field)
