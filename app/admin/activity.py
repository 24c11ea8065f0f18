"""Activity: who did what to which, read from the audit events."""

from __future__ import annotations

from app.admin.desk import Desk
from app.admin.pages import DEFAULT_LIMIT, Page, page_of, read_cursor, read_limit
from app.admin.rights import reach, require, require_operator
from app.builtin import AUDIT_READ, ORGANIZATIONS_READ
from app.errors import Invalid
from app.records import Actor, Event
from app.storage import audit, organizations
from app.storage.audit import EventFilter

__all__ = ["EventFilter", "list_page"]

EVERY_EVENT = EventFilter()
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
    require(actor, AUDIT_READ)
    if everywhere:
        require_operator(actor, ORGANIZATIONS_READ)
        organization = None
    else:
        organization = reach(actor, organization_id, write=False)
    limit = read_limit(limit)
    _check(wanted)
    with desk.store.reading() as session:
        if organization is not None:
            organizations.existing(session, organization)
        found = audit.page(
            session, organization, wanted, before=read_cursor(cursor), limit=limit + 1
        )
    return page_of(found, limit, lambda event: event.id, lambda event: event)


def _check(wanted: EventFilter) -> None:
    for field in ("type", "actor_id", "target_id", "request_id"):
        value = getattr(wanted, field)
        if value is not None and (len(value) > _LONGEST or not value.isprintable()):
            raise Invalid(f"{field} is nothing that an event has", field=field)
    for field in ("since", "until"):
        value = getattr(wanted, field)
        if value is not None and value.tzinfo is None:
            raise Invalid(f"{field} must say its time zone", field=field)
