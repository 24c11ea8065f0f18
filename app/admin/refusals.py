"""Why was I refused? The exact reason of a request, for those who may read the activity (C-3).

The stranger who was refused is told no cause; with the request's id, which every answer carries,
the owner of the credential finds it here, and what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.admin import activity, advice, request_records
from app.admin.activity import EventFilter
from app.admin.desk import Desk
from app.admin.pages import MAX_LIMIT
from app.admin.request_records import RequestFilter
from app.builtin import USAGE_READ
from app.records import REFUSED, SUCCESS, Actor, Event


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request, and what to do about it."""

    event: Event
    advice: str


def why(
    desk: Desk, actor: Actor, request_id: str, *, organization_id: str | None = None
) -> tuple[Refusal, ...]:
    """What was refused under this request id, the youngest first; none where nothing was, or it
    was nobody's of this organization. Raises Forbidden, Invalid, NotFound.

    An event says so, or the usage log: it has what lacked a scope at ``/v1``, and what resource
    servers report. The operator finds the events of strangers and of every organization.
    """
    request_id = request_id.strip()
    found = activity.list_page(
        desk,
        actor,
        EventFilter(request_id=request_id, outcome=REFUSED),
        limit=MAX_LIMIT,
        organization_id=organization_id,
        everywhere=organization_id is None and activity.sees_everything(actor),
    )
    events = found.data or _reported(desk, actor, request_id, organization_id)
    return tuple(Refusal(event, advice.on(event.reason)) for event in events)


def _reported(
    desk: Desk, actor: Actor, request_id: str, organization_id: str | None
) -> tuple[Event, ...]:
    """What the usage log has of it, for those who may read that, in the shape of events."""
    if USAGE_READ not in actor.scopes:
        return ()
    wanted = RequestFilter(request_id=request_id)
    found = request_records.list_page(desk, actor, wanted, organization_id=organization_id)
    return tuple(
        Event(
            id=one.id,
            time=one.at,
            type=f"{one.method} {one.route}",
            actor_type=one.credential_type,
            actor_id=one.credential_id,
            organization_id=one.organization_id,
            outcome=one.outcome,
            reason=one.reason,
            ip=one.ip,
            user_agent=one.user_agent,
            request_id=one.request_id,
            details={"status": one.status},
        )
        for one in found.data
        if one.outcome != SUCCESS
    )
