"""``flask preset``: named sets of scopes."""

from __future__ import annotations

import click
from flask import Flask

from app.admin import presets
from app.admin.presets import NewPreset, PresetChanges
from app.cli.terminal import (
    Group,
    Installation,
    as_json,
    given,
    org,
    paged,
    print_one,
    print_page,
    tokens,
)

COLUMNS = ("name", "scopes", "description")

group = Group("preset", help="Presets: named sets of scopes, to grant by.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


@group.command("create")
@click.argument("name")
@click.option("--scope", multiple=True, required=True, help='As "bookings:read rooms:*".')
@click.option("--description", default="", help="Who it is for.")
@org
@as_json
def create(
    name: str, scope: tuple[str, ...], description: str, org: str | None, json_wanted: bool
) -> None:
    """Make a preset."""
    at = Installation()
    new = NewPreset(
        name=name,
        scopes=tokens(scope) or (),
        description=description,
        organization_id=at.organization(org),
    )
    print_one(presets.create(at.desk, at.actor, new), json_wanted)


@group.command("list")
@org
@paged
@as_json
def list_(org: str | None, limit: int, cursor: str | None, json_wanted: bool) -> None:
    """Presets by name."""
    at = Installation()
    page = presets.list_page(
        at.desk, at.actor, limit=limit, cursor=cursor, organization_id=at.organization(org)
    )
    print_page(page, json_wanted, COLUMNS)


@group.command("show")
@click.argument("name")
@org
@as_json
def show(name: str, org: str | None, json_wanted: bool) -> None:
    """One preset."""
    at = Installation()
    found = presets.show(at.desk, at.actor, name, organization_id=at.organization(org))
    print_one(found, json_wanted)


@group.command("update")
@click.argument("name")
@click.option("--scope", multiple=True, help="What it holds from now on.")
@click.option("--description")
@org
@as_json
def update(
    name: str,
    scope: tuple[str, ...],
    description: str | None,
    org: str | None,
    json_wanted: bool,
) -> None:
    """Change a preset; what was granted by it stays as it was."""
    at = Installation()
    changes = PresetChanges(description=given(description), scopes=given(tokens(scope)))
    if changes == PresetChanges():
        raise click.UsageError("name something to change")
    changed = presets.update(at.desk, at.actor, name, changes, organization_id=at.organization(org))
    print_one(changed, json_wanted)


@group.command("delete")
@click.argument("name")
@org
def delete(name: str, org: str | None) -> None:
    """Remove a preset; what was granted by it stays granted."""
    at = Installation()
    presets.delete(at.desk, at.actor, name, organization_id=at.organization(org))
