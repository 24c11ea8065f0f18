"""``flask preset``: named sets of scopes."""

from __future__ import annotations

import click
from flask import Flask

from app.admin import presets
from app.admin.presets import NewPreset, PresetChanges
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
    tokens,
)

COLUMNS = ("name", "scopes", "description")
OPENED = ("scope", "by", "audiences", "description")

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
@listed
def list_(listing: Listing) -> None:
    """Presets by name."""
    at = Installation()
    listing.show(presets.list_page(at.desk, at.actor, **listing.page(at)), COLUMNS)


@group.command("show")
@click.argument("name")
@org
@as_json
def show(name: str, org: str | None, json_wanted: bool) -> None:
    """One preset, and what it opens."""
    at = Installation()
    which, organization_id = (at.desk, at.actor, name), at.organization(org)
    found = presets.show(*which, organization_id=organization_id)
    opens = presets.opens(*which, organization_id=organization_id)
    print_one_with(found, json_wanted, "opens", opens, OPENED)


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
