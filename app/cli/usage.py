"""``flask usage``: how credentials are used."""

from __future__ import annotations

import json

import click
from flask import Flask, current_app

from app.admin import request_records, standing, usage
from app.admin.pages import Page
from app.cli.terminal import (
    Group,
    Installation,
    Listing,
    as_json,
    listed,
    org,
    plain,
    print_one,
    print_page,
    since,
)
from app.records import OUTCOMES
from app.wiring import services

COUNTS = ("bucket", "credential_id", "route_class", "outcome", "count")
LIMITS = ("route_class", "limit", "window", "used", "remaining", "resets_at")
NETWORKS = ("credential_id", "network", "first_seen_at", "last_seen_at", "count")
REQUESTS = ("at", "credential_id", "method", "route", "status", "latency_ms", "ip", "reason")
SCOPES = ("credential_id", "scope", "last_issued_at", "last_used_at", "unused")

group = Group("usage", help="How credentials are used.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


def credential(command: click.decorators.FC) -> click.decorators.FC:
    """``--credential``: of this one alone."""
    return click.option("--credential", metavar="ID", help="A client_id, or an API key's id.")(
        command
    )


@group.command("counts")
@credential
@click.option("--class", "route_class", metavar="CLASS", help="A class of routes.")
@click.option("--outcome", type=click.Choice(OUTCOMES))
@since()
@click.option(
    "--by", "interval", type=click.Choice(tuple(usage.INTERVALS)), default="hour", show_default=True
)
@listed
def counts(
    credential: str | None,
    route_class: str | None,
    outcome: str | None,
    since: int | None,
    interval: str,
    listing: Listing,
) -> None:
    """Uses by hour or day, the youngest first."""
    at = Installation()
    wanted = usage.UsageFilter(
        credential_id=credential,
        route_class=route_class,
        outcome=outcome,
        since=at.ago(since),
    )
    page = usage.counts(
        at.desk,
        at.actor,
        wanted,
        interval=interval,
        **listing.page(at),
    )
    listing.show(page, COUNTS)


@group.command("limits")
@click.argument("credential_id")
@org
@as_json
def limits(credential_id: str, org: str | None, json_wanted: bool) -> None:
    """How a credential's limits stand."""
    at = Installation()
    limiter = services(current_app).limiter
    organization_id = at.organization(org)
    found = usage.limits(at.desk, limiter, at.actor, credential_id, organization_id=organization_id)
    print_page(Page(found), json_wanted, LIMITS)


@group.command("plan")
@org
@as_json
def plan(org: str | None, json_wanted: bool) -> None:
    """What the plan allows, how much of it is used, and the limits that hold."""
    at = Installation()
    found = standing.show(at.desk, at.actor, organization_id=at.organization(org))
    print_one(found, json_wanted)


@group.command("networks")
@credential
@since("First seen in this time")
@listed
def networks(
    credential: str | None,
    since: int | None,
    listing: Listing,
) -> None:
    """Where credentials were seen: IPv4 /24, IPv6 /48."""
    at = Installation()
    page = usage.networks(
        at.desk,
        at.actor,
        credential_id=credential,
        since=at.ago(since),
        **listing.page(at),
    )
    listing.show(page, NETWORKS)


@group.command("requests")
@credential
@click.option("--method", help="As GET.")
@click.option("--route", help="The template, as '/bookings/{id}'.")
@click.option("--status", type=click.IntRange(100, 599))
@click.option("--outcome", type=click.Choice(OUTCOMES))
@click.option("--reason", metavar="CODE", help="Why it was refused.")
@click.option("--ip", help="From this address.")
@click.option("--request-id", metavar="ID")
@since()
@click.option("--all", "everything", is_flag=True, help="All of them, one JSON object a line.")
@listed
def requests(
    credential: str | None,
    method: str | None,
    route: str | None,
    status: int | None,
    outcome: str | None,
    reason: str | None,
    ip: str | None,
    request_id: str | None,
    since: int | None,
    everything: bool,
    listing: Listing,
) -> None:
    """Single requests, the youngest first: the usage log."""
    at = Installation()
    wanted = request_records.RequestFilter(
        credential_id=credential,
        method=method,
        route=route,
        status=status,
        outcome=outcome,
        reason=reason,
        ip=ip,
        request_id=request_id,
        since=at.ago(since),
    )
    where = listing.page(at)
    if not everything:
        listing.show(request_records.list_page(at.desk, at.actor, wanted, **where), REQUESTS)
        return
    whose, cursor = where["organization_id"], where["cursor"]
    for one in request_records.every(
        at.desk, at.actor, wanted, cursor=cursor, organization_id=whose
    ):
        click.echo(json.dumps(plain(one), ensure_ascii=False))


@group.command("scopes")
@credential
@click.option("--unused-days", type=int, default=usage.UNUSED_DAYS, show_default=True)
@listed
def scopes(
    credential: str | None,
    unused_days: int,
    listing: Listing,
) -> None:
    """Granted scopes, and when they were last needed; the table shows those that were not."""
    at = Installation()
    page = usage.scopes(
        at.desk,
        at.actor,
        credential_id=credential,
        unused_days=unused_days,
        **listing.page(at),
    )
    if listing.json_wanted:
        listing.show(page, ())
        return
    idle = tuple(
        {"credential_id": one.credential_id} | {n: getattr(held, n) for n in SCOPES[1:]}
        for one in page.data
        for held in one.scopes
        if held.unused
    )
    listing.show(Page(idle, page.next_cursor), SCOPES)
