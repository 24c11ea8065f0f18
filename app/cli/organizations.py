"""``flask org``: tenants, each with its own clients, keys, scopes and users."""

from __future__ import annotations

import json
from typing import Any

import click
from flask import Flask

from app.admin import organizations, plans
from app.admin.changes import UNSET
from app.admin.organizations import (
    ENVIRONMENTS,
    PROFILES,
    STATUSES,
    NewOrganization,
    OrganizationChanges,
)
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
from app.records import LABELS

COLUMNS = ("id", "name", "status", "environments", "plan_id", "is_operator")

DEFAULTS = "As 30/minute:booking: where neither key nor plan says anything."

group = Group("org", help="Organizations: tenants with their own clients, keys and scopes.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


class Template(click.ParamType[dict[str, Any]]):
    """A key template as JSON: only what is otherwise than by default."""

    name = "json"

    def convert(self, value: Any, param: Any, ctx: Any) -> dict[str, Any]:
        try:
            template = json.loads(value)
        except ValueError:
            template = None
        if not isinstance(template, dict):
            self.fail('write a JSON object, as {"prefix": "el", "checksum_length": 4}', param, ctx)
        return template


class Label(click.ParamType[tuple[str, str]]):
    """One of the dashboard's words and what it is from now on: ``api_keys="Our keys"``."""

    name = "name=text"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        name, equals, text = value.partition("=")
        if not equals:
            self.fail(f"write NAME=TEXT, with NAME one of {', '.join(LABELS)}", param, ctx)
        return name, text


TEMPLATE = Template()
LABEL = Label()
LABELED = f"The dashboard's word for one of {', '.join(LABELS)}; repeatable."


@group.command("create")
@click.option("--name", required=True)
@click.option("--environment", multiple=True, help="Repeatable; the first one is the default.")
@click.option("--plan", help="A plan, by id or name.")
@click.option("--key-template", type=TEMPLATE, default="{}", help="How its API keys look, as JSON.")
@click.option("--profile", type=click.Choice(PROFILES), default=PROFILES[0], show_default=True)
@click.option("--rate-limit", multiple=True, metavar="LIMIT", help=DEFAULTS)
@click.option("--key-variable", help="Where its keys are kept. Default: made of its name.")
@click.option("--label", multiple=True, type=LABEL, help=LABELED)
@click.option("--require-second-factor", is_flag=True, help="Its users need a code to sign in.")
@as_json
def create(
    name: str,
    environment: tuple[str, ...],
    plan: str | None,
    key_template: dict[str, Any],
    profile: str,
    rate_limit: tuple[str, ...],
    key_variable: str | None,
    label: tuple[tuple[str, str], ...],
    require_second_factor: bool,
    json_wanted: bool,
) -> None:
    """Register an organization."""
    at = Installation()
    new = NewOrganization(
        name=name,
        environments=environment or ENVIRONMENTS,
        plan_id=_plan(at, plan),
        key_template=key_template,
        profile=profile,
        rate_limits=rate_limit,
        key_variable=key_variable,
        labels=dict(label),
        require_second_factor=require_second_factor,
    )
    print_one(organizations.create(at.desk, at.actor, new), json_wanted)


@group.command("list")
@click.option("--status", type=click.Choice(STATUSES))
@click.option("--plan", help="Those on a plan, by its id or name.")
@click.option("--search", metavar="TEXT", help="How the name begins, or the id.")
@paged
@as_json
def list_(
    status: str | None,
    plan: str | None,
    search: str | None,
    limit: int,
    cursor: str | None,
    json_wanted: bool,
) -> None:
    """Organizations, the youngest first."""
    at = Installation()
    page = organizations.list_page(
        at.desk,
        at.actor,
        limit=limit,
        cursor=cursor,
        status=status,
        plan_id=_plan(at, plan),
        search=search,
    )
    print_page(page, json_wanted, COLUMNS)


@group.command("show")
@click.argument("organization")
@as_json
def show(organization: str, json_wanted: bool) -> None:
    """One organization, by id or name."""
    at = Installation()
    organization_id = at.named_organization(organization)
    print_one(organizations.show(at.desk, at.actor, organization_id), json_wanted)


@group.command("update")
@click.argument("organization")
@click.option("--name")
@click.option("--status", type=click.Choice(STATUSES), help="suspended stops all its credentials.")
@click.option("--environment", multiple=True, help="Repeatable: all there are from now on.")
@click.option("--plan", help="A plan, by id or name.")
@click.option("--no-plan", is_flag=True, help="Put it on no plan: no caps.")
@click.option("--key-template", type=TEMPLATE, help="How its new API keys look, as JSON.")
@click.option("--profile", type=click.Choice(PROFILES), help="How its APIs present errors.")
@click.option("--rate-limit", multiple=True, metavar="LIMIT", help=DEFAULTS)
@click.option("--no-rate-limit", is_flag=True, help="No defaults but those of the profile.")
@click.option("--key-variable", help="The environment variable that its new keys are shown with.")
@click.option("--label", multiple=True, type=LABEL, help=f"{LABELED} All from now on.")
@click.option("--no-label", is_flag=True, help="Words as by default.")
@click.option(
    "--require-second-factor/--no-require-second-factor",
    default=None,
    help="Whether its users need a code to sign in.",
)
@as_json
def update(
    organization: str,
    name: str | None,
    status: str | None,
    environment: tuple[str, ...],
    plan: str | None,
    no_plan: bool,
    key_template: dict[str, Any] | None,
    profile: str | None,
    rate_limit: tuple[str, ...],
    no_rate_limit: bool,
    key_variable: str | None,
    label: tuple[tuple[str, str], ...],
    no_label: bool,
    require_second_factor: bool | None,
    json_wanted: bool,
) -> None:
    """Change what is named; the rest stays. By id or name."""
    at = Installation()
    changes = OrganizationChanges(
        name=given(name),
        status=given(status),
        environments=environment or UNSET,
        plan_id=None if no_plan else given(_plan(at, plan)),
        key_template=given(key_template),
        profile=given(profile),
        rate_limits=replaced(rate_limit, no_rate_limit),
        key_variable=given(key_variable),
        labels={} if no_label else dict(label) or UNSET,
        require_second_factor=given(require_second_factor),
    )
    if changes == OrganizationChanges():
        raise click.UsageError("name something to change")
    organization_id = at.named_organization(organization)
    print_one(organizations.update(at.desk, at.actor, organization_id, changes), json_wanted)


def _plan(at: Installation, named: str | None) -> str | None:
    if named is None or named.startswith("plan_"):
        return named
    return plans.find(at.desk, at.actor, named).id
