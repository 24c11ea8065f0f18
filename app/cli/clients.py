"""``flask client``: the services that obtain tokens."""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask

from app.admin import client_secrets, clients
from app.admin.client_secrets import NewSecret
from app.admin.clients import ClientChanges, NewClient
from app.admin.pages import Page
from app.cli.terminal import (
    DURATION,
    READABLE,
    Group,
    Installation,
    Listing,
    act_as,
    as_json,
    given,
    json_file,
    listed,
    org,
    print_one,
    print_page,
    replaced,
    say_once,
    tokens,
)
from app.wiring import CLIENT_AUTH_METHODS

METHODS = tuple(method.name for method in CLIENT_AUTH_METHODS)
COLUMNS = ("client_id", "name", "environment", "status", "scopes", "last_used_at")
SECRET_COLUMNS = (
    "id", "prefix", "last_four", "status", "expires_at", "last_used_at", "exposed_at", "note"
)  # fmt: skip
DEFAULT_GRACE = "24h"

group = Group("client", help="Clients: services that obtain tokens at /oauth/token.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


@group.command("create")
@click.option("--name", required=True, help="What people call it.")
@click.option("--description", default="", help="What it is for.")
@org
@click.option("--scope", multiple=True, help='What it may do, as "bookings:read rooms:*".')
@click.option("--preset", help="Instead of --scope: a named set of scopes.")
@click.option(
    "--audience", multiple=True, help="A resource it may name; none: all of its organization."
)
@click.option("--environment", help="live, test, …: one of its organization's.")
@click.option(
    "--auth-method",
    type=click.Choice(METHODS),
    default=METHODS[0],
    show_default=True,
    help="How it authenticates.",
)
@click.option("--jwks", type=READABLE, metavar="FILE", help="Its public keys, a JWK Set.")
@click.option("--jwks-uri", metavar="URI", help="Or where they are, by https.")
@click.option("--token-ttl", type=DURATION, help="Life of its tokens, as 600 or 15m.")
@act_as
@as_json
def create(
    name: str,
    description: str,
    org: str | None,
    scope: tuple[str, ...],
    preset: str | None,
    audience: tuple[str, ...],
    environment: str | None,
    auth_method: str,
    jwks: Path | None,
    jwks_uri: str | None,
    token_ttl: int | None,
    act_as: tuple[str, ...],
    json_wanted: bool,
) -> None:
    """Register a client; its secret is printed once."""
    at = Installation()
    created = clients.create(
        at.desk,
        at.actor,
        NewClient(
            name=name,
            description=description,
            organization_id=at.organization(org),
            environment=environment,
            scopes=tokens(scope),
            preset=preset,
            audiences=audience,
            token_endpoint_auth_method=auth_method,
            jwks=json_file(jwks),
            jwks_uri=jwks_uri,
            token_ttl=token_ttl,
            act_as_organizations=[at.named_organization(one) for one in act_as],
        ),
    )
    print_one(
        created.client,
        json_wanted,
        client_secret=created.client_secret,
        client_secret_id=created.client_secret_id,
    )
    say_once(json_wanted)


@group.command("list")
@click.option("--status", type=click.Choice(("active", "disabled")))
@click.option("--environment")
@click.option("--search", metavar="TEXT", help="How the name begins, or the id.")
@listed
def list_(
    status: str | None,
    environment: str | None,
    search: str | None,
    listing: Listing,
) -> None:
    """Clients of an organization, the youngest first."""
    at = Installation()
    page = clients.list_page(
        at.desk,
        at.actor,
        **listing.page(at),
        status=status,
        environment=environment,
        search=search,
    )
    listing.show(page, COLUMNS)


@group.command("show")
@click.argument("client_id")
@org
@as_json
def show(client_id: str, org: str | None, json_wanted: bool) -> None:
    """One client."""
    at = Installation()
    organization_id = at.organization(org)
    print_one(
        clients.show(at.desk, at.actor, client_id, organization_id=organization_id), json_wanted
    )


@group.command("update")
@click.argument("client_id")
@click.option("--name")
@click.option("--description")
@org
@click.option("--scope", multiple=True, help="What it may do from now on.")
@click.option("--preset", help="Instead of --scope: a named set of scopes.")
@click.option("--audience", multiple=True, help="The resources it may name from now on.")
@click.option("--any-audience", is_flag=True, help="Let it name every resource.")
@click.option("--auth-method", type=click.Choice(METHODS))
@click.option("--jwks", type=READABLE, metavar="FILE", help="Its public keys, a JWK Set.")
@click.option("--jwks-uri", metavar="URI", help="Or where they are, by https.")
@click.option("--token-ttl", type=DURATION, help="Life of its tokens, as 600 or 15m.")
@click.option("--default-token-ttl", is_flag=True, help="Let its tokens live as others do.")
@act_as
@click.option("--act-as-any", is_flag=True, help="For every organization.")
@as_json
def update(
    client_id: str,
    name: str | None,
    description: str | None,
    org: str | None,
    scope: tuple[str, ...],
    preset: str | None,
    audience: tuple[str, ...],
    any_audience: bool,
    auth_method: str | None,
    jwks: Path | None,
    jwks_uri: str | None,
    token_ttl: int | None,
    default_token_ttl: bool,
    act_as: tuple[str, ...],
    act_as_any: bool,
    json_wanted: bool,
) -> None:
    """Change what is named; the rest stays."""
    at = Installation()
    changes = ClientChanges(
        name=given(name),
        description=given(description),
        scopes=given(tokens(scope)),
        preset=given(preset),
        audiences=replaced(audience, any_audience),
        token_endpoint_auth_method=given(auth_method),
        jwks=given(json_file(jwks)),
        jwks_uri=given(jwks_uri),
        token_ttl=None if default_token_ttl else given(token_ttl),
        act_as_organizations=replaced([at.named_organization(one) for one in act_as], act_as_any),
    )
    if changes == ClientChanges():
        raise click.UsageError("name something to change")
    organization_id = at.organization(org)
    print_one(
        clients.update(at.desk, at.actor, client_id, changes, organization_id=organization_id),
        json_wanted,
    )


@group.command("rotate-secret")
@click.argument("client_id")
@click.option(
    "--grace",
    type=DURATION,
    default=DEFAULT_GRACE,
    show_default=True,
    help="How long the other secrets live on, at most; 0: they end now.",
)
@click.option("--note", default="", help="Where the new one goes.")
@org
@as_json
def rotate_secret(
    client_id: str, grace: int, note: str, org: str | None, json_wanted: bool
) -> None:
    """Make a new secret, printed once, and let the others end."""
    at = Installation()
    new = NewSecret(grace_seconds=grace, note=note)
    created = client_secrets.add(
        at.desk, at.actor, client_id, new, organization_id=at.organization(org)
    )
    print_one(created, json_wanted, client_id=client_id)
    say_once(json_wanted)


@group.command("secrets")
@click.argument("client_id")
@org
@as_json
def secrets(client_id: str, org: str | None, json_wanted: bool) -> None:
    """A client's secrets: what may be seen of them."""
    at = Installation()
    found = client_secrets.list_all(
        at.desk, at.actor, client_id, organization_id=at.organization(org)
    )
    print_page(Page(found), json_wanted, SECRET_COLUMNS)


@group.command("remove-secret")
@click.argument("client_id")
@click.argument("secret_id")
@org
def remove_secret(client_id: str, secret_id: str, org: str | None) -> None:
    """End one secret now."""
    at = Installation()
    client_secrets.remove(
        at.desk, at.actor, client_id, secret_id, organization_id=at.organization(org)
    )


@group.command("disable")
@click.argument("client_id")
@org
@as_json
def disable(client_id: str, org: str | None, json_wanted: bool) -> None:
    """Give it no more tokens until it is enabled."""
    at = Installation()
    organization_id = at.organization(org)
    print_one(
        clients.disable(at.desk, at.actor, client_id, organization_id=organization_id), json_wanted
    )


@group.command("enable")
@click.argument("client_id")
@org
@as_json
def enable(client_id: str, org: str | None, json_wanted: bool) -> None:
    """Give it tokens again."""
    at = Installation()
    organization_id = at.organization(org)
    print_one(
        clients.enable(at.desk, at.actor, client_id, organization_id=organization_id), json_wanted
    )


@group.command("delete")
@click.argument("client_id")
@org
def delete(client_id: str, org: str | None) -> None:
    """Remove a client and its secrets for ever."""
    at = Installation()
    clients.delete(at.desk, at.actor, client_id, organization_id=at.organization(org))
