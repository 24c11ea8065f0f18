"""Activity: who did what to which, read from the audit events."""

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
from app.admin.rights import reach, require, require_operator
from app.builtin import AUDIT_READ, ORGANIZATIONS_READ
from app.records import Actor, Event
from app.storage import audit, organizations
from app.storage.audit import EventFilter

__all__ = ["EventFilter", "every", "list_page"]

EVERY_EVENT = EventFilter()


def list_page(
    desk: Desk,
    actor: Actor,
    wanted: EventFilter = EVERY_EVENT,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
    everywhere: bool = False,
) -> Page[Event]:
    """Events, the youngest first; ``everywhere`` is for the operator alone.

    A filter that no index serves looks at ``LOOKED_AT`` events a page: such a page may be short, or
    empty, and still say where to go on. Raises Forbidden, Invalid, NotFound.
    """
    organization = _organization(actor, organization_id, everywhere)
    limit, before = read_limit(limit), read_cursor(cursor)
    _check(wanted)
    least = None
    with desk.store.reading() as session:
        if organization is not None:
            organizations.existing(session, organization)
        if _is_search(wanted, everywhere):
            least = audit.horizon(session, organization, wanted, before=before, events=LOOKED_AT)
        found = audit.page(
            session, organization, wanted, before=before, limit=limit + 1, least=least or ""
        )
    return going_on(page_of(found, limit, lambda event: event.id, lambda event: event), least)


def _is_search(wanted: EventFilter, everywhere: bool) -> bool:
    named = {name for name in ("type", *audit.EQUAL) if getattr(wanted, name) is not None}
    indexed = {"request_id"} if everywhere else set(audit.BY_INDEX)
    return bool(named) and not named & indexed


def every(
    desk: Desk,
    actor: Actor,
    wanted: EventFilter = EVERY_EVENT,
    *,
    cursor: str | None = None,
    organization_id: str | None = None,
    everywhere: bool = False,
) -> Iterator[Event]:
    """All that ``list_page`` would give, as an export reads it. Raises Forbidden, Invalid,
    NotFound, all at once.
    """
    organization = _organization(actor, organization_id, everywhere)
    _check(wanted)
    before = read_cursor(cursor)
    if organization is not None:
        with desk.store.reading() as session:
            organizations.existing(session, organization)

    def read(last: str | None, limit: int) -> list[Event]:
        with desk.store.reading() as session:
            return audit.page(session, organization, wanted, before=last, limit=limit)

    return every_row(read, before, lambda event: event.id)


def sees_everything(actor: Actor) -> bool:
    """Whether the actor may look at the events of every organization, and of none."""
    return actor.is_operator and ORGANIZATIONS_READ in actor.scopes


def _organization(actor: Actor, organization_id: str | None, everywhere: bool) -> str | None:
    require(actor, AUDIT_READ)
    if everywhere:
        require_operator(actor, ORGANIZATIONS_READ)
        return None
    return reach(actor, organization_id, write=False)


def _check(wanted: EventFilter) -> None:
    for field in ("type", *audit.EQUAL):
        fields.searched(getattr(wanted, field), field)
    for field in ("since", "until"):
        fields.with_zone(getattr(wanted, field), field)
