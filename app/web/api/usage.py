"""``/v1/usage``: how credentials are used, and how their limits stand (``docs/usage.md``)."""

from __future__ import annotations

from typing import Annotated

from flask import Response, current_app
from pydantic import BeforeValidator, Field

from app.admin import standing, usage
from app.builtin import USAGE_READ
from app.records import OUTCOMES
from app.web.api.answers import answer, listed, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, collection, gives, needs
from app.web.api.values import (
    Answer,
    Choice,
    Id,
    Instant,
    OfOrganization,
    OrganizationListing,
    PageOf,
    number,
)
from app.wiring import services

blueprint = collection("usage", "How credentials are used")

_DAYS = Annotated[int, Field(ge=1, le=usage.LONGEST_DAYS), BeforeValidator(number)]


class OfCredential(OrganizationListing):
    """Of one credential, or of all."""

    credential_id: Id | None = Field(None, description="A `client_id`, or the id of an API key.")


class CountListing(OfCredential):
    """Which counts: every named field must fit."""

    route_class: Annotated[str, Field(max_length=32)] | None = None
    outcome: Choice | None = Field(None, description=f"One of {', '.join(OUTCOMES)}.")
    since: Instant | None = Field(None, description="Taken to the hour.")
    until: Instant | None = Field(None, description="Not included.")
    interval: Choice = Field("hour", description="`hour` or `day`, in UTC.")


class Count(Answer):
    """Uses of a credential in an hour or a day."""

    bucket: Instant = Field(description="When it begins.")
    credential_type: str
    credential_id: str
    route_class: str
    outcome: str
    count: int


class StandingLimit(Answer):
    """A limit that holds, and what is left of it."""

    route_class: str | None = Field(description="Null: every class without limits of its own.")
    limit: int
    window: str
    used: int
    remaining: int
    resets_at: Instant


class CountPage(PageOf[Count]):
    """Counts, the youngest first."""

    limits: list[StandingLimit] = Field(
        description="Of `credential_id`, or of the credential that asks."
    )


class NetworkListing(OfCredential):
    """Which networks."""

    since: Instant | None = Field(None, description="First seen then or later.")


class Network(Answer):
    """Where a credential was seen: an IPv4 /24 or an IPv6 /48."""

    credential_type: str
    credential_id: str
    network: str
    first_seen_at: Instant
    last_seen_at: Instant
    count: int


class NetworkPage(PageOf[Network]):
    """Networks in the order of credentials."""


class ScopeListing(OfCredential):
    """Whose scopes, and since when they lie idle."""

    unused_days: _DAYS = usage.UNUSED_DAYS


class HeldScope(Answer):
    """A scope that is granted."""

    scope: str
    last_issued_at: Instant | None = Field(description="Last put into a token.")
    last_used_at: Instant | None = Field(description="Last needed at an API, as far as is told.")
    unused: bool = Field(description="Not needed in `unused_days`, though it was granted before.")


class HeldScopes(Answer):
    """What an active credential may do, and whether it does."""

    credential_type: str
    credential_id: str
    name: str
    scopes: list[HeldScope]


class HeldScopesPage(PageOf[HeldScopes]):
    """Credentials in the order of their ids."""


class HeldLimit(Answer):
    """A limit of every credential that has none of its own."""

    route_class: str | None = Field(description="Null: every class without limits of its own.")
    limit: int
    window: str
    source: str = Field(description="`plan`, `organization` or `profile`.")


class Standing(Answer):
    """How the organization stands to its plan."""

    plan_id: str | None
    plan: str | None = Field(description="Its name; null: on no plan, nothing is capped.")
    max_active_keys: int | None
    active_keys: int
    custom_key_limits: bool = Field(description="Whether single keys may have their own limits.")
    limits: list[HeldLimit]


@blueprint.get("", security=needs(USAGE_READ), responses=gives(200, CountPage, OBJECT))
def list_usage(query: CountListing) -> Response:
    """Count uses, and show how limits stand"""
    wanted = usage.UsageFilter(
        credential_id=query.credential_id,
        route_class=query.route_class,
        outcome=query.outcome,
        since=query.since,
        until=query.until,
    )
    of = query.organization_id
    page = usage.counts(
        desk(),
        actor(),
        wanted,
        interval=query.interval,
        limit=query.limit,
        cursor=query.cursor,
        organization_id=of,
    )
    limiter = services(current_app).limiter
    limits = usage.limits(desk(), limiter, actor(), query.credential_id, organization_id=of)
    return answer(
        CountPage(
            data=[shown(Count, one) for one in page.data],
            next_cursor=page.next_cursor,
            limits=[shown(StandingLimit, one) for one in limits],
        )
    )


@blueprint.get("/plan", security=needs(USAGE_READ), responses=gives(200, Standing, OBJECT))
def show_standing(query: OfOrganization) -> Response:
    """Show what the plan allows, how much of it is used, and the limits that hold"""
    found = standing.show(desk(), actor(), organization_id=query.organization_id)
    return answer(shown(Standing, found))


@blueprint.get("/networks", security=needs(USAGE_READ), responses=gives(200, NetworkPage, OBJECT))
def list_networks(query: NetworkListing) -> Response:
    """List the networks that credentials were seen from"""
    page = usage.networks(desk(), actor(), **query.model_dump())
    return listed(NetworkPage, page)


@blueprint.get("/scopes", security=needs(USAGE_READ), responses=gives(200, HeldScopesPage, OBJECT))
def list_used_scopes(query: ScopeListing) -> Response:
    """List granted scopes, and when they were last needed"""
    page = usage.scopes(desk(), actor(), **query.model_dump())
    return listed(HeldScopesPage, page)
