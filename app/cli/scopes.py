"""``flask scope``: the catalogue of what can be granted."""

from __future__ import annotations

import click
from flask import Flask

from app.admin import scopes
from app.admin.scopes import NewScope, ScopeChanges
from app.cli.terminal import (
    Group,
    Installation,
    as_json,
    given,
    org,
    paged,
    print_one,
    print_page,
    replaced,
    tokens,
)

COLUMNS = ("name", "implies", "public", "description")

group = Group("scope", help="Scopes: what clients and keys can be granted.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


@group.command("add")
@click.argument("name")
@click.option("--description", default="", help="What it allows, for people.")
@click.option("--implies", multiple=True, metavar="SCOPE", help="Declared scopes it brings along.")
@click.option("--public", is_flag=True, help="A publishable key may hold it.")
@org
@as_json
def add(
    name: str,
    description: str,
    implies: tuple[str, ...],
    public: bool,
    org: str | None,
    json_wanted: bool,
) -> None:
    """Declare a scope, as bookings:read."""
    at = Installation()
    new = NewScope(
        name=name,
        description=description,
        implies=tokens(implies) or (),
        public=public,
        organization_id=at.organization(org),
    )
    print_one(scopes.add(at.desk, at.actor, new), json_wanted)


@group.command("list")
@org
@click.option("--all", "builtin", is_flag=True, help="Those of administration too.")
@click.option("--search", metavar="TEXT", help="In the name or the description.")
@paged
@as_json
def list_(
    org: str | None,
    builtin: bool,
    search: str | None,
    limit: int,
    cursor: str | None,
    json_wanted: bool,
) -> None:
    """Declared scopes by name."""
    at = Installation()
    page = scopes.list_page(
        at.desk,
        at.actor,
        limit=limit,
        cursor=cursor,
        organization_id=at.organization(org),
        builtin=builtin,
        search=search,
    )
    print_page(page, json_wanted, COLUMNS)


@group.command("show")
@click.argument("name")
@org
@as_json
def show(name: str, org: str | None, json_wanted: bool) -> None:
    """One scope."""
    at = Installation()
    found = scopes.show(at.desk, at.actor, name, organization_id=at.organization(org))
    print_one(found, json_wanted)


@group.command("update")
@click.argument("name")
@click.option("--description", help="What it allows, for people.")
@click.option("--implies", multiple=True, metavar="SCOPE", help="What it brings along from now on.")
@click.option("--implies-nothing", is_flag=True, help="Let it stand for itself alone.")
@click.option("--public/--not-public", default=None, help="Whether a publishable key may hold it.")
@org
@as_json
def update(
    name: str,
    description: str | None,
    implies: tuple[str, ...],
    implies_nothing: bool,
    public: bool | None,
    org: str | None,
    json_wanted: bool,
) -> None:
    """Change what is named; the rest stays."""
    at = Installation()
    changes = ScopeChanges(
        description=given(description),
        implies=replaced(tokens(implies) or (), implies_nothing),
        public=given(public),
    )
    if changes == ScopeChanges():
        raise click.UsageError("name something to change")
    found = scopes.update(at.desk, at.actor, name, changes, organization_id=at.organization(org))
    print_one(found, json_wanted)


@group.command("remove")
@click.argument("name")
@org
def remove(name: str, org: str | None) -> None:
    """Take back a scope that no client, key, preset or resource names."""
    at = Installation()
    scopes.remove(at.desk, at.actor, name, organization_id=at.organization(org))
