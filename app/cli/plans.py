"""``flask plan``: what organizations may do."""

from __future__ import annotations

import click
from flask import Flask

from app.admin import plans
from app.admin.plans import NewPlan, PlanChanges
from app.cli.terminal import (
    Group,
    Installation,
    as_json,
    given,
    paged,
    print_one,
    print_page,
    replaced,
)

COLUMNS = ("id", "name", "max_active_keys", "custom_key_limits", "rate_limits")

group = Group("plan", help="Plans: caps and limits that organizations are put on.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


@group.command("create")
@click.option("--name", required=True)
@click.option("--max-active-keys", type=int, help="0: no keys. Default: as many as they like.")
@click.option("--rate-limit", multiple=True, metavar="LIMIT", help="As 100/minute:bookings.")
@click.option("--custom-key-limits", is_flag=True, help="Single keys may have their own limits.")
@as_json
def create(
    name: str,
    max_active_keys: int | None,
    rate_limit: tuple[str, ...],
    custom_key_limits: bool,
    json_wanted: bool,
) -> None:
    """Make a plan."""
    at = Installation()
    new = NewPlan(
        name=name,
        max_active_keys=max_active_keys,
        rate_limits=rate_limit,
        custom_key_limits=custom_key_limits,
    )
    print_one(plans.create(at.desk, at.actor, new), json_wanted)


@group.command("list")
@paged
@as_json
def list_(limit: int, cursor: str | None, json_wanted: bool) -> None:
    """Plans, the youngest first."""
    at = Installation()
    print_page(plans.list_page(at.desk, at.actor, limit=limit, cursor=cursor), json_wanted, COLUMNS)


@group.command("show")
@click.argument("plan")
@as_json
def show(plan: str, json_wanted: bool) -> None:
    """One plan, by id or name."""
    at = Installation()
    print_one(plans.show(at.desk, at.actor, _id(at, plan)), json_wanted)


@group.command("update")
@click.argument("plan")
@click.option("--name")
@click.option("--max-active-keys", type=int)
@click.option("--no-cap", is_flag=True, help="As many keys as they like.")
@click.option("--rate-limit", multiple=True, metavar="LIMIT", help="All limits from now on.")
@click.option("--no-rate-limit", is_flag=True)
@click.option("--custom-key-limits/--no-custom-key-limits", default=None)
@as_json
def update(
    plan: str,
    name: str | None,
    max_active_keys: int | None,
    no_cap: bool,
    rate_limit: tuple[str, ...],
    no_rate_limit: bool,
    custom_key_limits: bool | None,
    json_wanted: bool,
) -> None:
    """Change what is named, by id or name; it takes effect at once."""
    at = Installation()
    changes = PlanChanges(
        name=given(name),
        max_active_keys=None if no_cap else given(max_active_keys),
        rate_limits=replaced(rate_limit, no_rate_limit),
        custom_key_limits=given(custom_key_limits),
    )
    if changes == PlanChanges():
        raise click.UsageError("name something to change")
    print_one(plans.update(at.desk, at.actor, _id(at, plan), changes), json_wanted)


@group.command("delete")
@click.argument("plan")
def delete(plan: str) -> None:
    """Remove a plan that nobody is on, by id or name."""
    at = Installation()
    plans.delete(at.desk, at.actor, _id(at, plan))


def _id(at: Installation, named: str) -> str:
    if named.startswith("plan_"):
        return named
    return plans.find(at.desk, at.actor, named).id
