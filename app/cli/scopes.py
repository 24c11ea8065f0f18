"""``flask scope``: the catalogue of what can be granted."""

from __future__ import annotations

import click
from flask import Flask

from app.admin import scopes
from app.admin.scopes import NewScope
from app.cli.terminal import (
    Group,
    Installation,
    as_json,
    org,
    paged,
    print_one,
    print_page,
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
@paged
@as_json
def list_(
    org: str | None, builtin: bool, limit: int, cursor: str | None, json_wanted: bool
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
    )
    print_page(page, json_wanted, COLUMNS)


@group.command("remove")
@click.argument("name")
@org
def remove(name: str, org: str | None) -> None:
    """Take back a scope that no client, key, preset or resource names."""
    at = Installation()
    scopes.remove(at.desk, at.actor, name, organization_id=at.organization(org))
