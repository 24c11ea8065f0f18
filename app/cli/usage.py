"""``flask usage``: how credentials are used."""

from __future__ import annotations

import json
from datetime import timedelta

import click
from flask import Flask, current_app

from app.admin import request_records, standing, usage
from app.admin.pages import Page
from app.cli.terminal import (
    DURATION,
    Group,
    Installation,
    as_json,
    org,
    paged,
    plain,
    print_one,
    print_page,
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
@click.option("--since", type=DURATION, help="Not older than that, as 24h.")
@click.option(
    "--by", "interval", type=click.Choice(tuple(usage.INTERVALS)), default="hour", show_default=True
)
@org
@paged
@as_json
def counts(
    credential: str | None,
    route_class: str | None,
    outcome: str | None,
    since: int | None,
    interval: str,
    org: str | None,
    limit: int,
    cursor: str | None,
    json_wanted: bool,
) -> None:
    """Uses by hour or day, the youngest first."""
    at = Installation()
    wanted = usage.UsageFilter(
        credential_id=credential,
        route_class=route_class,
        outcome=outcome,
        since=None if since is None else at.desk.clock() - timedelta(seconds=since),
    )
    page = usage.counts(
        at.desk,
        at.actor,
        wanted,
        interval=interval,
        limit=limit,
        cursor=cursor,
        organization_id=at.organization(org),
    )
    print_page(page, json_wanted, COUNTS)


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
@click.option("--since", type=DURATION, help="First seen in this time, as 24h.")
@org
@paged
@as_json
def networks(
    credential: str | None,
    since: int | None,
    org: str | None,
    limit: int,
    cursor: str | None,
    json_wanted: bool,
) -> None:
    """Where credentials were seen: IPv4 /24, IPv6 /48."""
    at = Installation()
    page = usage.networks(
        at.desk,
        at.actor,
        credential_id=credential,
        since=None if since is None else at.desk.clock() - timedelta(seconds=since),
        limit=limit,
        cursor=cursor,
        organization_id=at.organization(org),
    )
    print_page(page, json_wanted, NETWORKS)


@group.command("requests")
@credential
@click.option("--method", help="As GET.")
@click.option("--route", help="The template, as '/bookings/{id}'.")
@click.option("--status", type=click.IntRange(100, 599))
@click.option("--outcome", type=click.Choice(OUTCOMES))
@click.option("--reason", metavar="CODE", help="Why it was refused.")
@click.option("--ip", help="From this address.")
@click.option("--request-id", metavar="ID")
@click.option("--since", type=DURATION, help="Not older than that, as 24h.")
@click.option("--all", "everything", is_flag=True, help="All of them, one JSON object a line.")
@org
@paged
@as_json
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
    org: str | None,
    limit: int,
    cursor: str | None,
    json_wanted: bool,
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
        since=None if since is None else at.desk.clock() - timedelta(seconds=since),
    )
    where = {"cursor": cursor, "organization_id": at.organization(org)}
    if everything:
        for one in request_records.every(at.desk, at.actor, wanted, **where):
            click.echo(json.dumps(plain(one), ensure_ascii=False))
        return
    page = request_records.list_page(at.desk, at.actor, wanted, limit=limit, **where)
    print_page(page, json_wanted, REQUESTS)


@group.command("scopes")
@credential
@click.option("--unused-days", type=int, default=usage.UNUSED_DAYS, show_default=True)
@org
@paged
@as_json
def scopes(
    credential: str | None,
    unused_days: int,
    org: str | None,
    limit: int,
    cursor: str | None,
    json_wanted: bool,
) -> None:
    """Granted scopes, and when they were last needed; the table shows those that were not."""
    at = Installation()
    page = usage.scopes(
        at.desk,
        at.actor,
        credential_id=credential,
        unused_days=unused_days,
        limit=limit,
        cursor=cursor,
        organization_id=at.organization(org),
    )
    if json_wanted:
        print_page(page, json_wanted, ())
        return
    idle = tuple(
        {"credential_id": one.credential_id} | {n: getattr(held, n) for n in SCOPES[1:]}
        for one in page.data
        for held in one.scopes
        if held.unused
    )
    print_page(Page(idle, page.next_cursor), json_wanted, SCOPES)
