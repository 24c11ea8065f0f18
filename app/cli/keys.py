"""``flask key``: long-lived API keys."""

from __future__ import annotations

import click
from flask import Flask

from app.admin.pages import Page
from app.apikeys import endings, lifecycle, patterns, succession
from app.apikeys.endings import REASONS
from app.apikeys.policies import ROTATIONS
from app.apikeys.rules import MISSING_ORIGIN
from app.apikeys.values import (
    KINDS,
    STATUSES,
    ApiKeyChanges,
    ApiKeyFilter,
    CreatedApiKey,
    NewApiKey,
)
from app.cli.key_import import import_
from app.cli.key_inspection import inspect
from app.cli.terminal import (
    DURATION,
    Group,
    Installation,
    Listing,
    act_as,
    as_json,
    given,
    listed,
    org,
    print_one,
    print_page,
    replaced,
    say_once,
    tokens,
)

COLUMNS = (
    "id", "name", "environment", "status", "prefix", "last_four", "expires_at", "last_used_at"
)  # fmt: skip

why = click.option("--reason", default="", help=f"{', '.join(REASONS)}, or any line: it is kept.")

group = Group("key", help="API keys: long-lived credentials, sent as they are.")


def register(app: Flask) -> None:
    group.add_command(import_)
    group.add_command(inspect)
    app.cli.add_command(group)


@group.command("create")
@click.option("--name", required=True, help="What people call it.")
@click.option("--description", default="", help="What it is for.")
@org
@click.option("--environment", help="live, test, …: one of its organization's.")
@click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True)
@click.option("--scope", multiple=True, help='What it may do, as "bookings:read rooms:*".')
@click.option("--preset", help="Instead of --scope: a named set of scopes.")
@click.option("--expires-in", type=DURATION, help="Its life, as 90d. Default: for ever.")
@click.option("--allow-ip", multiple=True, metavar="CIDR", help="From there only.")
@click.option("--allow-domain", multiple=True, metavar="HOST", help="For pages of HOST or *.HOST.")
@click.option("--missing-origin", type=click.Choice(MISSING_ORIGIN), help="Used without one.")
@click.option("--browser-origin", type=click.Choice(MISSING_ORIGIN), help="Used in a browser.")
@click.option("--rate-limit", multiple=True, metavar="LIMIT", help="As 100/minute.")
@act_as
@as_json
def create(
    name: str,
    description: str,
    org: str | None,
    environment: str | None,
    kind: str,
    scope: tuple[str, ...],
    preset: str | None,
    expires_in: int | None,
    allow_ip: tuple[str, ...],
    allow_domain: tuple[str, ...],
    missing_origin: str | None,
    browser_origin: str | None,
    rate_limit: tuple[str, ...],
    act_as: tuple[str, ...],
    json_wanted: bool,
) -> None:
    """Make a key; it is printed once."""
    at = Installation()
    created = lifecycle.create(
        at.desk,
        at.actor,
        NewApiKey(
            name=name,
            description=description,
            organization_id=at.organization(org),
            environment=environment,
            kind=kind,
            scopes=tokens(scope),
            preset=preset,
            expires_in=expires_in,
            allowed_ips=allow_ip,
            allowed_domains=allow_domain,
            missing_origin=missing_origin,
            browser_origin=browser_origin,
            rate_limits=rate_limit,
            act_as_organizations=[at.named_organization(one) for one in act_as],
        ),
    )
    _print_made(created, json_wanted)


@group.command("list")
@click.option("--status", type=click.Choice(STATUSES))
@click.option("--environment")
@click.option("--kind", type=click.Choice(KINDS))
@click.option("--created-by", metavar="ID", help="Made by this user, client or key.")
@click.option("--inactive-days", type=int, metavar="N", help="Not used for so many days.")
@click.option("--rotation", type=click.Choice(ROTATIONS), help="As flask key-policy asks for.")
@click.option("--search", metavar="TEXT", help="How the name begins, or the id.")
@listed
def list_(
    status: str | None,
    environment: str | None,
    kind: str | None,
    created_by: str | None,
    inactive_days: int | None,
    rotation: str | None,
    search: str | None,
    listing: Listing,
) -> None:
    """Keys of an organization, the youngest first; never the keys themselves."""
    at = Installation()
    page = lifecycle.list_page(
        at.desk,
        at.actor,
        ApiKeyFilter(
            status=status,
            environment=environment,
            kind=kind,
            created_by=created_by,
            inactive_days=inactive_days,
            rotation=rotation,
            search=search,
        ),
        **listing.page(at),
    )
    listing.show(page, COLUMNS)


@group.command("show")
@click.argument("key_id")
@org
@as_json
def show(key_id: str, org: str | None, json_wanted: bool) -> None:
    """One key, by its id."""
    at = Installation()
    organization_id = at.organization(org)
    print_one(
        lifecycle.show(at.desk, at.actor, key_id, organization_id=organization_id), json_wanted
    )


@group.command("update")
@click.argument("key_id")
@click.option("--name")
@click.option("--description")
@org
@click.option("--allow-ip", multiple=True, metavar="CIDR", help="From there only, from now on.")
@click.option("--any-ip", is_flag=True, help="From anywhere.")
@click.option("--allow-domain", multiple=True, metavar="HOST", help="For these pages, from now on.")
@click.option("--any-domain", is_flag=True, help="For any page.")
@click.option("--missing-origin", type=click.Choice(MISSING_ORIGIN), help="Used without one.")
@click.option("--browser-origin", type=click.Choice(MISSING_ORIGIN), help="Used in a browser.")
@click.option("--rate-limit", multiple=True, metavar="LIMIT", help="As 100/minute.")
@click.option("--no-rate-limit", is_flag=True, help="No limits of its own.")
@act_as
@click.option("--act-as-any", is_flag=True, help="For every organization.")
@as_json
def update(
    key_id: str,
    name: str | None,
    description: str | None,
    org: str | None,
    allow_ip: tuple[str, ...],
    any_ip: bool,
    allow_domain: tuple[str, ...],
    any_domain: bool,
    missing_origin: str | None,
    browser_origin: str | None,
    rate_limit: tuple[str, ...],
    no_rate_limit: bool,
    act_as: tuple[str, ...],
    act_as_any: bool,
    json_wanted: bool,
) -> None:
    """Change what is named; scopes, environment and expiry are for life."""
    at = Installation()
    changes = ApiKeyChanges(
        name=given(name),
        description=given(description),
        allowed_ips=replaced(allow_ip, any_ip),
        allowed_domains=replaced(allow_domain, any_domain),
        missing_origin=given(missing_origin),
        browser_origin=given(browser_origin),
        rate_limits=replaced(rate_limit, no_rate_limit),
        act_as_organizations=replaced([at.named_organization(one) for one in act_as], act_as_any),
    )
    if changes == ApiKeyChanges():
        raise click.UsageError("name something to change")
    organization_id = at.organization(org)
    print_one(
        lifecycle.update(at.desk, at.actor, key_id, changes, organization_id=organization_id),
        json_wanted,
    )


@group.command("rotate")
@click.argument("key_id")
@click.option(
    "--grace",
    type=DURATION,
    help="How long the old key lives on; 0: it ends now. Default: the organization's, mostly 24h.",
)
@why
@org
@as_json
def rotate(key_id: str, grace: int | None, reason: str, org: str | None, json_wanted: bool) -> None:
    """Make a successor with the same settings and expiry; it is printed once."""
    at = Installation()
    created = succession.rotate(
        at.desk,
        at.actor,
        key_id,
        grace_seconds=grace,
        reason=reason,
        organization_id=at.organization(org),
    )
    _print_made(created, json_wanted)


@group.command("replace")
@click.argument("key_id")
@why
@org
@as_json
def replace(key_id: str, reason: str, org: str | None, json_wanted: bool) -> None:
    """Revoke a compromised key now, and make its successor; it is printed once."""
    at = Installation()
    organization_id = at.organization(org)
    made = succession.replace(
        at.desk, at.actor, key_id, reason=reason, organization_id=organization_id
    )
    _print_made(made, json_wanted)


@group.command("revoke-all")
@click.option("--created-by", metavar="ID", required=True, help="Who made or rotated them.")
@why
@org
@as_json
def revoke_all(created_by: str, reason: str, org: str | None, json_wanted: bool) -> None:
    """End every key that somebody has made or rotated, and so has seen."""
    at = Installation()
    organization_id = at.organization(org)
    revoked = endings.revoke_all(
        at.desk, at.actor, created_by, reason=reason, organization_id=organization_id
    )
    print_one({"revoked": revoked}, json_wanted)


@group.command("revoke")
@click.argument("key_id")
@why
@org
@as_json
def revoke(key_id: str, reason: str, org: str | None, json_wanted: bool) -> None:
    """End a key for ever, now."""
    at = Installation()
    organization_id = at.organization(org)
    print_one(
        endings.revoke(at.desk, at.actor, key_id, reason=reason, organization_id=organization_id),
        json_wanted,
    )


@group.command("disable")
@click.argument("key_id")
@org
@as_json
def disable(key_id: str, org: str | None, json_wanted: bool) -> None:
    """Let it open nothing until it is enabled."""
    at = Installation()
    organization_id = at.organization(org)
    print_one(
        lifecycle.disable(at.desk, at.actor, key_id, organization_id=organization_id), json_wanted
    )


@group.command("enable")
@click.argument("key_id")
@org
@as_json
def enable(key_id: str, org: str | None, json_wanted: bool) -> None:
    """Let it open things again."""
    at = Installation()
    organization_id = at.organization(org)
    print_one(
        lifecycle.enable(at.desk, at.actor, key_id, organization_id=organization_id), json_wanted
    )


@group.command("patterns")
@click.option(
    "--for",
    "scanner",
    type=click.Choice(tuple(patterns.FORMATS)),
    default="gitleaks",
    show_default=True,
    help="Whose configuration is printed.",
)
@as_json
def print_patterns(scanner: str, json_wanted: bool) -> None:
    """How scanners find leaked keys and client secrets, of every organization's template."""
    found = patterns.known_patterns(Installation().desk)
    if json_wanted:
        print_page(Page(tuple(found), None), json_wanted, ())
    else:
        click.echo(patterns.FORMATS[scanner](found))


def _print_made(made: CreatedApiKey, json_wanted: bool) -> None:
    if json_wanted:
        print_one(made.api_key, True, key=made.key, key_variable=made.variable)
        return
    print_one(made.api_key, False, key=made.key)
    click.echo(f"\n{made.variable}={made.key}")  # for an .env file
    say_once(json_wanted)
