"""``flask resource``: the APIs that tokens are meant for."""

from __future__ import annotations

import click
from flask import Flask

from app.admin import resources
from app.admin.organizations import PROFILES
from app.admin.resources import NewResource, ResourceChanges
from app.cli.terminal import (
    Group,
    Installation,
    Listing,
    as_json,
    given,
    listed,
    org,
    print_one,
    replaced,
    tokens,
)

COLUMNS = ("id", "identifier", "name", "scopes", "environments", "profile")

group = Group("resource", help="Resources: APIs that tokens are meant for, and their scopes.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


@group.command("create")
@click.argument("identifier", metavar="URI")
@click.option("--name", default="", help="What people call it. Default: the URI.")
@click.option("--scope", multiple=True, help='Scopes it owns, as "bookings:* rooms:read".')
@click.option("--environment", multiple=True, help="Whose tokens it takes; none: all.")
@click.option("--profile", type=click.Choice(PROFILES), help="How errors read there.")
@org
@as_json
def create(
    identifier: str,
    name: str,
    scope: tuple[str, ...],
    environment: tuple[str, ...],
    profile: str | None,
    org: str | None,
    json_wanted: bool,
) -> None:
    """Register an API by the URI that its tokens carry as audience."""
    at = Installation()
    new = NewResource(
        identifier=identifier,
        name=name,
        scopes=tokens(scope) or (),
        environments=environment,
        profile=profile,
        organization_id=at.organization(org),
    )
    print_one(resources.create(at.desk, at.actor, new), json_wanted)


@group.command("list")
@listed
def list_(listing: Listing) -> None:
    """Resources, the youngest first."""
    at = Installation()
    listing.show(resources.list_page(at.desk, at.actor, **listing.page(at)), COLUMNS)


@group.command("show")
@click.argument("resource_id")
@org
@as_json
def show(resource_id: str, org: str | None, json_wanted: bool) -> None:
    """One resource."""
    at = Installation()
    found = resources.show(at.desk, at.actor, resource_id, organization_id=at.organization(org))
    print_one(found, json_wanted)


@group.command("update")
@click.argument("resource_id")
@click.option("--name")
@click.option("--scope", multiple=True, help="What it owns from now on.")
@click.option("--no-scope", is_flag=True, help="It owns none.")
@click.option("--environment", multiple=True, help="Whose tokens it takes from now on.")
@click.option("--any-environment", is_flag=True)
@click.option("--profile", type=click.Choice(PROFILES), help="How errors read there.")
@click.option("--no-profile", is_flag=True, help="As its organization has it.")
@org
@as_json
def update(
    resource_id: str,
    name: str | None,
    scope: tuple[str, ...],
    no_scope: bool,
    environment: tuple[str, ...],
    any_environment: bool,
    profile: str | None,
    no_profile: bool,
    org: str | None,
    json_wanted: bool,
) -> None:
    """Change what is named; the URI is for life."""
    at = Installation()
    changes = ResourceChanges(
        name=given(name),
        scopes=replaced(tokens(scope) or (), no_scope),
        environments=replaced(environment, any_environment),
        profile=None if no_profile else given(profile),
    )
    if changes == ResourceChanges():
        raise click.UsageError("name something to change")
    changed = resources.update(
        at.desk, at.actor, resource_id, changes, organization_id=at.organization(org)
    )
    print_one(changed, json_wanted)


@group.command("delete")
@click.argument("resource_id")
@org
def delete(resource_id: str, org: str | None) -> None:
    """Remove a resource that no client names."""
    at = Installation()
    resources.delete(at.desk, at.actor, resource_id, organization_id=at.organization(org))
