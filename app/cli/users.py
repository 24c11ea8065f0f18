"""``flask user``: people who administer an organization."""

from __future__ import annotations

import click
from flask import Flask

from app.admin import users
from app.admin.roles import ROLES
from app.admin.users import NewUser, SignIn, UserChanges
from app.apikeys import leavers
from app.cli.terminal import (
    Group,
    Installation,
    Listing,
    as_json,
    given,
    listed,
    org,
    print_one,
    say_once,
)
from app.records import ACTIVE, DISABLED

COLUMNS = ("id", "email", "name", "role", "status", "last_sign_in_at")

group = Group("user", help="Users: people who sign in to the dashboard.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


@group.command("create")
@click.option("--email", required=True)
@click.option("--name", default="", help="What they are called.")
@click.option("--role", type=click.Choice(tuple(ROLES)), required=True)
@org
@as_json
def create(email: str, name: str, role: str, org: str | None, json_wanted: bool) -> None:
    """Invite somebody: prints a link that signs them in once, within a day."""
    at = Installation()
    new = NewUser(email=email, name=name, role=role, organization_id=at.organization(org))
    _print(users.create(at.desk, at.actor, new), json_wanted)


@group.command("list")
@listed
def list_(listing: Listing) -> None:
    """Users of an organization, the youngest first."""
    at = Installation()
    listing.show(users.list_page(at.desk, at.actor, **listing.page(at)), COLUMNS)


@group.command("show")
@click.argument("user_id")
@org
@as_json
def show(user_id: str, org: str | None, json_wanted: bool) -> None:
    """One user."""
    at = Installation()
    found = users.show(at.desk, at.actor, user_id, organization_id=at.organization(org))
    print_one(found, json_wanted)


@group.command("update")
@click.argument("user_id")
@click.option("--name", help="What they are called.")
@click.option("--role", type=click.Choice(tuple(ROLES)))
@org
@as_json
def update(
    user_id: str, name: str | None, role: str | None, org: str | None, json_wanted: bool
) -> None:
    """Change what is named; the rest stays."""
    changes = UserChanges(name=given(name), role=given(role))
    if changes == UserChanges():
        raise click.UsageError("name something to change")
    _change(user_id, changes, org, json_wanted)


@group.command("disable")
@click.argument("user_id")
@org
@as_json
def disable(user_id: str, org: str | None, json_wanted: bool) -> None:
    """Sign them out, and keep them out until they are enabled."""
    _change(user_id, UserChanges(status=DISABLED), org, json_wanted)


@group.command("enable")
@click.argument("user_id")
@org
@as_json
def enable(user_id: str, org: str | None, json_wanted: bool) -> None:
    """Let them sign in again."""
    _change(user_id, UserChanges(status=ACTIVE), org, json_wanted)


@group.command("remove")
@click.argument("user_id")
@org
def remove(user_id: str, org: str | None) -> None:
    """Remove somebody for ever; what they did stays in the log."""
    at = Installation()
    users.remove(at.desk, at.actor, user_id, organization_id=at.organization(org))


@group.command("reset")
@click.argument("user_id")
@click.option("--second-factor", is_flag=True, help="Forget that, too: they have lost it.")
@org
@as_json
def reset(user_id: str, second_factor: bool, org: str | None, json_wanted: bool) -> None:
    """Forget their password: prints a link that signs them in once, within the hour."""
    at = Installation()
    organization_id = at.organization(org)
    made = users.reset(
        at.desk, at.actor, user_id, second_factor=second_factor, organization_id=organization_id
    )
    _print(made, json_wanted)


@group.command("sign-out")
@click.argument("user_id")
@org
@as_json
def sign_out(user_id: str, org: str | None, json_wanted: bool) -> None:
    """End every session of theirs."""
    at = Installation()
    ended = users.sign_out(at.desk, at.actor, user_id, organization_id=at.organization(org))
    print_one({"ended": ended}, json_wanted)


@group.command("credentials")
@click.argument("user_id")
@listed
def credentials(user_id: str, listing: Listing) -> None:
    """What they made and so have seen, and is good for something; also when they are removed."""
    at = Installation()
    found = leavers.held(at.desk, at.actor, user_id, **listing.page(at))
    print_one(found, listing.json_wanted)


@group.command("revoke-credentials")
@click.argument("user_id")
@click.option("--reason", default="employee_left", show_default=True, help="For the activity log.")
@org
@as_json
def revoke_credentials(user_id: str, reason: str, org: str | None, json_wanted: bool) -> None:
    """End every API key and client secret that they made, now and for ever."""
    at = Installation()
    organization_id = at.organization(org)
    ended = leavers.revoke_all(
        at.desk, at.actor, user_id, reason=reason, organization_id=organization_id
    )
    print_one(ended, json_wanted)


def _change(user_id: str, changes: UserChanges, org: str | None, json_wanted: bool) -> None:
    at = Installation()
    found = users.update(at.desk, at.actor, user_id, changes, organization_id=at.organization(org))
    print_one(found, json_wanted)


def _print(signing_in: SignIn, json_wanted: bool) -> None:
    print_one(
        signing_in.user,
        json_wanted,
        sign_in_secret=signing_in.secret,
        sign_in_link=signing_in.link,
        sign_in_expires_at=signing_in.expires_at,
    )
    say_once(json_wanted)
