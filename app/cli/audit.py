"""``flask audit``: who did what to which."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import click
from flask import Flask

from app.admin import activity
from app.admin.activity import EventFilter
from app.admin.pages import MAX_LIMIT
from app.cli.terminal import DURATION, Group, Installation, plain
from app.records import Event

POLL = 0.5
"""Seconds between two looks with ``--follow``."""

group = Group("audit", help="The activity log.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


@group.command("tail")
@click.option("-n", "--lines", type=click.IntRange(0, MAX_LIMIT), default=20, show_default=True)
@click.option("--follow", "-f", is_flag=True, help="Go on until interrupted.")
@click.option("--type", "type_", help="As client.created, or 'client.*'.")
@click.option("--actor", "actor_id", metavar="ID", help="Who did it.")
@click.option("--target", "target_id", metavar="ID", help="To which.")
@click.option("--request-id")
@click.option("--since", type=DURATION, help="Not older than that, as 24h.")
@click.option("--org", metavar="ORG", help="One organization, by id or name. Default: all.")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object a line.")
def tail(
    lines: int,
    follow: bool,
    type_: str | None,
    actor_id: str | None,
    target_id: str | None,
    request_id: str | None,
    since: int | None,
    org: str | None,
    json_wanted: bool,
) -> None:
    """The last events, the youngest at the end."""
    at = Installation()
    wanted = EventFilter(
        type=type_,
        actor_id=actor_id,
        target_id=target_id,
        request_id=request_id,
        since=None if since is None else at.desk.clock() - timedelta(seconds=since),
    )
    organization_id = at.organization(org)

    def youngest(limit: int) -> tuple[Event, ...]:
        return activity.list_page(
            at.desk,
            at.actor,
            wanted,
            limit=limit,
            organization_id=organization_id,
            everywhere=organization_id is None,
        ).data

    shown = youngest(max(1, lines))
    last = shown[0].id if shown else ""
    _print(shown[:lines], json_wanted)
    while follow:
        time.sleep(POLL)
        fresh = [event for event in youngest(MAX_LIMIT) if event.id > last]
        if fresh:
            last = fresh[0].id
            _print(fresh, json_wanted)


def _print(events: Iterable[Event], json_wanted: bool) -> None:
    for event in reversed(tuple(events)):
        data = plain(event)
        if json_wanted:
            click.echo(json.dumps(_nested(data), ensure_ascii=False))
            continue
        outcome = event.outcome if event.reason is None else f"{event.outcome} ({event.reason})"
        click.echo(
            f"{data['time']}  {event.type}  {outcome}  "
            f"{event.actor_type}:{event.actor_id or '-'} -> "
            f"{event.target_type or '-'}:{event.target_id or '-'}"
        )


def _nested(event: dict[str, Any]) -> dict[str, Any]:
    """An event in the shape of ``/v1/activity`` (CONTRACT §6)."""
    actor = {"type": event.pop("actor_type"), "id": event.pop("actor_id")}
    target = {"type": event.pop("target_type"), "id": event.pop("target_id")}
    first = {name: event.pop(name) for name in ("id", "time", "type")}
    return first | {"actor": actor, "target": target} | event
