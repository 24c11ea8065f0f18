"""``/v1/activity``: who did what to which (CONTRACT §6)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

from flask import Response
from pydantic import Field

from app.admin import activity
from app.builtin import AUDIT_READ
from app.records import Event as Recorded
from app.web.api.answers import listed
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, collection, gives, needs
from app.web.api.exports import JSON, Form, exported, form_field, wanted_form
from app.web.api.values import Answer, Flag, Instant, OrganizationListing, PageOf

blueprint = collection("activity", "Who did what to which")

Term = Annotated[str, Field(min_length=1, max_length=200)]


class EventListing(OrganizationListing):
    """Which events: every named field must fit."""

    type: Term | None = Field(None, description="`client.*` is every type below `client.`.")
    actor_type: Term | None = None
    actor_id: Term | None = None
    target_type: Term | None = None
    target_id: Term | None = None
    outcome: Term | None = Field(None, description="`success` or `refused`.")
    reason: Term | None = None
    ip: Term | None = None
    request_id: Term | None = None
    since: Instant | None = None
    until: Instant | None = Field(None, description="Not included.")
    everywhere: Flag = Field(
        False, description="Events of every organization: for the operator's credentials."
    )
    format: Form = form_field()


class Party(Answer):
    """Who acted, or what was acted upon."""

    type: str
    id: str | None


class Event(Answer):
    """One thing that happened."""

    id: str
    time: Instant
    type: str
    actor: Party
    organization_id: str | None
    target: Party | None
    outcome: str
    reason: str | None
    ip: str | None
    user_agent: str | None
    request_id: str | None
    details: dict[str, Any]


class EventPage(PageOf[Event]):
    """Events, the youngest first. Where a filter other than `actor_id`, `target_id` or `request_id`
    fits few, a page may be short or empty and still have a `next_cursor`: go on until it is null.
    """


@blueprint.get("", security=needs(AUDIT_READ), responses=gives(200, EventPage, OBJECT))
def list_activity(query: EventListing) -> Response:
    """List events, or export all of them as CSV or JSON Lines"""
    named = query.model_dump()
    where = {name: named.pop(name) for name in ("cursor", "organization_id", "everywhere")}
    limit, form = named.pop("limit"), wanted_form(named.pop("format"))
    wanted = activity.EventFilter(**named)
    if form == JSON:
        page = activity.list_page(desk(), actor(), wanted, limit=limit, **where)
        return listed(EventPage, page, _event)
    return as_file(form, activity.every(desk(), actor(), wanted, **where))


def as_file(form: str, events: Iterable[Recorded]) -> Response:
    """All of them as ``csv`` or ``jsonl``; also what the dashboard exports."""
    return exported("activity", form, map(_event, events), COLUMNS, _cells)


def _cells(event: dict[str, Any]) -> dict[str, Any]:
    for name in ("actor", "target"):
        party = event.pop(name) or {}
        event |= {f"{name}_type": party.get("type"), f"{name}_id": party.get("id")}
    return event | {"details": json.dumps(event["details"], ensure_ascii=False)}


COLUMNS = (
    "id", "time", "type", "actor_type", "actor_id", "organization_id", "target_type", "target_id",
    "outcome", "reason", "ip", "user_agent", "request_id", "details",
)  # fmt: skip


def _event(found: Recorded) -> Event:
    target = Party(type=found.target_type, id=found.target_id) if found.target_type else None
    return Event(
        id=found.id,
        time=found.time,
        type=found.type,
        actor=Party(type=found.actor_type, id=found.actor_id),
        organization_id=found.organization_id,
        target=target,
        outcome=found.outcome,
        reason=found.reason,
        ip=found.ip,
        user_agent=found.user_agent,
        request_id=found.request_id,
        details=dict(found.details),
    )
