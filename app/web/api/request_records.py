"""``/v1/usage/requests``: the usage log, request by request (``docs/usage.md``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from flask import Response
from pydantic import BeforeValidator, Field

from app.admin import request_records
from app.builtin import USAGE_READ
from app.records import OUTCOMES, RequestRecord
from app.web.api.answers import listed, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, collection, gives, needs
from app.web.api.exports import JSON, Form, exported, form_field, wanted_form
from app.web.api.values import Answer, Id, Instant, OrganizationListing, PageOf, number

blueprint = collection("usage-requests", "The usage log, request by request", "usage/requests")

Term = Annotated[str, Field(min_length=1, max_length=256)]


class RequestListing(OrganizationListing):
    """Which requests: every named field must fit."""

    credential_id: Id | None = Field(None, description="A `client_id`, or the id of an API key.")
    method: Term | None = None
    route: Term | None = Field(None, description="The template, as `/bookings/{id}`.")
    status: Annotated[int, Field(ge=100, le=599), BeforeValidator(number)] | None = None
    ip: Term | None = None
    request_id: Term | None = None
    outcome: Term | None = Field(None, description=f"One of {', '.join(OUTCOMES)}.")
    reason: Term | None = None
    since: Instant | None = None
    until: Instant | None = Field(None, description="Not included.")
    format: Form = form_field()


class Request(Answer):
    """A single request."""

    id: str
    at: Instant
    credential_type: str
    credential_id: str
    method: str
    route: str
    status: int
    latency_ms: float | None
    ip: str | None
    user_agent: str | None
    request_id: str | None
    outcome: str
    reason: str | None


class RequestPage(PageOf[Request]):
    """Single requests, the youngest first. Where filters other than `credential_id` or `request_id`
    fit few, a page may be short or empty and still have a `next_cursor`: go on until it is null.
    """


@blueprint.get("", security=needs(USAGE_READ), responses=gives(200, RequestPage, OBJECT))
def list_requests(query: RequestListing) -> Response:
    """List single requests, or export all of them as CSV or JSON Lines"""
    named = query.model_dump()
    where = {name: named.pop(name) for name in ("cursor", "organization_id")}
    limit, form = named.pop("limit"), wanted_form(named.pop("format"))
    wanted = request_records.RequestFilter(**named)
    if form == JSON:
        return listed(
            RequestPage,
            request_records.list_page(desk(), actor(), wanted, limit=limit, **where),
        )
    return as_file(form, request_records.every(desk(), actor(), wanted, **where))


def as_file(form: str, found: Iterable[RequestRecord]) -> Response:
    """All of them as ``csv`` or ``jsonl``; also what the dashboard exports."""
    entries = (shown(Request, one) for one in found)
    return exported("requests", form, entries, tuple(Request.model_fields))
