"""``/v1/usage/reports``: what resource servers have seen (``docs/usage.md``)."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import Field

from app.admin import usage_reports
from app.builtin import INTROSPECT
from app.records import OUTCOMES
from app.web.api.answers import answer
from app.web.api.caller import actor, desk
from app.web.api.documented import WRITES, collection, gives, needs
from app.web.api.values import Answer, Body, Id, Instant, example

blueprint = collection("usage-reports", "What resource servers have seen", "usage/reports")


class Entry(Body):
    """Uses of a credential in an hour, of one kind."""

    credential_id: Id = Field(description="A `client_id`, or the id of an API key.")
    bucket: Instant = Field(description="The beginning of the hour, in UTC.")
    count: Annotated[int, Field(ge=1, le=usage_reports.MAX_COUNT)]
    route_class: Annotated[str, Field(max_length=32)] = ""
    scope: Annotated[str, Field(max_length=usage_reports.MAX_SCOPE)] = Field(
        "", description="What the routes needed, separated by spaces."
    )
    outcome: Annotated[str, Field(max_length=16)] = Field(
        OUTCOMES[0], description=f"One of {', '.join(f'`{one}`' for one in OUTCOMES)}."
    )
    network: Annotated[str, Field(max_length=45)] | None = Field(
        None, description="Where it came from: an IPv4 /24 or an IPv6 /48."
    )


class SeenRequest(Body):
    """A single request, for the usage log."""

    credential_id: Id = Field(description="A `client_id`, or the id of an API key.")
    at: Instant
    method: Annotated[str, Field(max_length=16)]
    route: Annotated[str, Field(max_length=usage_reports.MAX_ROUTE)] = Field(
        description="The template, as `/bookings/{id}`, not the path."
    )
    status: Annotated[int, Field(ge=100, le=599)]
    latency_ms: Annotated[float, Field(ge=0, le=usage_reports.MAX_LATENCY)] | None = None
    ip: Annotated[str, Field(max_length=45)] | None = None
    user_agent: Annotated[str, Field(max_length=usage_reports.MAX_AGENT)] | None = None
    request_id: Annotated[str, Field(max_length=64)] | None = None
    outcome: Annotated[str, Field(max_length=16)] = OUTCOMES[0]
    reason: Annotated[str, Field(max_length=64)] | None = None


class Report(Body):
    """Once under this id, however often it is sent."""

    model_config = example(
        id="3f0c9a1e5b7d4c2f",
        entries=[
            {
                "credential_id": "key_01m80zv6t3h9x2b5c7d8e4f1g0",
                "bucket": "2026-11-22T06:00:00Z",
                "route_class": "booking",
                "scope": "bookings:create",
                "network": "192.0.2.0/24",
                "count": 12,
            }
        ],
    )

    id: Annotated[str, Field(min_length=16, max_length=64)]
    entries: Annotated[list[Entry], Field(max_length=usage_reports.MAX_ENTRIES)] = Field(
        [], description="How often credentials were used."
    )
    requests: Annotated[list[SeenRequest], Field(max_length=usage_reports.MAX_REQUESTS)] = Field(
        [], description="Single requests; what is counted of them stands in `entries`."
    )


class Taken(Answer):
    """What was done with it; the same each time it is sent."""

    id: str
    accepted: int
    ignored: int = Field(
        description="Entries about credentials that are nobody's, or that the reporter may not "
        "see, or of an hour that is too long ago, or has not begun."
    )


@blueprint.post("", security=needs(INTROSPECT), responses=gives(200, Taken, WRITES))
def report_usage(body: Report) -> Response:
    """Report how credentials were used"""
    entries = [usage_reports.Entry(**entry.named()) for entry in body.entries]
    requests = [usage_reports.Request(**request.named()) for request in body.requests]
    taken = usage_reports.take(desk(), actor(), body.id, entries, requests)
    return answer(Taken(id=body.id, accepted=taken.accepted, ignored=taken.ignored))
