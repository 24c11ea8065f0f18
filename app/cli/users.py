"""``flask user``: people who administer an organization."""

from __future__ import annotations

import click
from flask import Flask

from app.admin import users
from app.admin.roles import ROLES
from app.admin.users import NewUser, SignIn
from app.cli.terminal import (
    Group,
    Installation,
    as_json,
    org,
    paged,
    print_one,
    print_page,
    say_once,
)

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
    """Invite somebody: prints a secret that signs them in once, within the hour."""
    at = Installation()
    new = NewUser(email=email, name=name, role=role, organization_id=at.organization(org))
    _print(users.create(at.desk, at.actor, new), json_wanted)


@group.command("list")
@org
@paged
@as_json
def list_(org: str | None, limit: int, cursor: str | None, json_wanted: bool) -> None:
    """Users of an organization, the youngest first."""
    at = Installation()
    page = users.list_page(
        at.desk, at.actor, limit=limit, cursor=cursor, organization_id=at.organization(org)
    )
    print_page(page, json_wanted, COLUMNS)


@group.command("show")
@click.argument("user_id")
@org
@as_json
def show(user_id: str, org: str | None, json_wanted: bool) -> None:
    """One user."""
    at = Installation()
    found = users.show(at.desk, at.actor, user_id, organization_id=at.organization(org))
    print_one(found, json_wanted)


@group.command("reset")
@click.argument("user_id")
@org
@as_json
def reset(user_id: str, org: str | None, json_wanted: bool) -> None:
    """Forget their password: prints a secret that signs them in once, within the hour."""
    at = Installation()
    _print(
        users.reset(at.desk, at.actor, user_id, organization_id=at.organization(org)), json_wanted
    )


def _print(signing_in: SignIn, json_wanted: bool) -> None:
    print_one(
        signing_in.user,
        json_wanted,
        sign_in_secret=signing_in.secret,
        sign_in_expires_at=signing_in.expires_at,
    )
    say_once(json_wanted)
