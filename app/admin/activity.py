"""Activity: who did what to which, read from the audit events."""

from __future__ import annotations

from collections.abc import Iterator

from app.admin.desk import Desk
from app.admin.pages import DEFAULT_LIMIT, Page, page_of, read_cursor, read_limit
from app.admin.rights import reach, require, require_operator
from app.builtin import AUDIT_READ, ORGANIZATIONS_READ
from app.errors import Invalid
from app.records import Actor, Event
from app.storage import audit, organizations
from app.storage.audit import EventFilter

__all__ = ["EventFilter", "every", "list_page"]

EVERY_EVENT = EventFilter()
AT_ONCE = 500
"""Events that are read at once when all are wanted."""
_LONGEST = 512


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

    Raises Forbidden, Invalid, NotFound.
    """
    organization = _organization(actor, organization_id, everywhere)
    limit = read_limit(limit)
    _check(wanted)
    with desk.store.reading() as session:
        if organization is not None:
            organizations.existing(session, organization)
        found = audit.page(
            session, organization, wanted, before=read_cursor(cursor), limit=limit + 1
        )
    return page_of(found, limit, lambda event: event.id, lambda event: event)


def every(
    desk: Desk,
    actor: Actor,
    wanted: EventFilter = EVERY_EVENT,
    *,
    cursor: str | None = None,
    organization_id: str | None = None,
    everywhere: bool = False,
) -> Iterator[Event]:
    """All that ``list_page`` would give, page by page: some at a time are in memory, and no
    transaction lasts while somebody reads. Raises Forbidden, Invalid, NotFound, all at once.
    """
    organization = _organization(actor, organization_id, everywhere)
    _check(wanted)
    before = read_cursor(cursor)
    if organization is not None:
        with desk.store.reading() as session:
            organizations.existing(session, organization)

    def read() -> Iterator[Event]:
        last = before
        while True:
            with desk.store.reading() as session:
                found = audit.page(session, organization, wanted, before=last, limit=AT_ONCE)
            yield from found
            if len(found) < AT_ONCE:
                return
            last = found[-1].id

    return read()


def _organization(actor: Actor, organization_id: str | None, everywhere: bool) -> str | None:
    require(actor, AUDIT_READ)
    if everywhere:
        require_operator(actor, ORGANIZATIONS_READ)
        return None
    return reach(actor, organization_id, write=False)


def _check(wanted: EventFilter) -> None:
    for field in ("type", *audit.EQUAL):
        value = getattr(wanted, field)
        if value is not None and (len(value) > _LONGEST or not value.isprintable()):
            raise Invalid(f"{field} is nothing that an event has", field=field)
    for field in ("since", "until"):
        value = getattr(wanted, field)
        if value is not None and value.tzinfo is None:
            raise Invalid(f"{field} must say its time zone", field=field)
