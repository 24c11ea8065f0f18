"""``flask scope``: the catalogue of what can be granted."""

from __future__ import annotations

import click
from flask import Flask

from app.admin import scopes
from app.admin.scopes import NewScope, ScopeChanges
from app.cli.terminal import (
    Group,
    Installation,
    Listing,
    as_json,
    given,
    listed,
    org,
    print_one,
    print_one_with,
    replaced,
    tokens,
)

COLUMNS = ("name", "implies", "public", "description")
NAMINGS = ("type", "id", "name")

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
@click.option("--all", "builtin", is_flag=True, help="Those of administration too.")
@click.option("--search", metavar="TEXT", help="In the name or the description.")
@listed
def list_(
    builtin: bool,
    search: str | None,
    listing: Listing,
) -> None:
    """Declared scopes by name."""
    at = Installation()
    page = scopes.list_page(
        at.desk,
        at.actor,
        **listing.page(at),
        builtin=builtin,
        search=search,
    )
    listing.show(page, COLUMNS)


@group.command("show")
@click.argument("name")
@org
@as_json
def show(name: str, org: str | None, json_wanted: bool) -> None:
    """One scope, and what names it."""
    at = Installation()
    which, organization_id = (at.desk, at.actor, name), at.organization(org)
    found = scopes.show(*which, organization_id=organization_id)
    namings = scopes.namings(*which, organization_id=organization_id)
    print_one_with(found, json_wanted, "named_by", namings, NAMINGS)


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
