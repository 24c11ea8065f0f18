"""``flask signing-key``: what tokens are signed with."""

from __future__ import annotations

import click
from flask import Flask

from app.admin import signing_keys
from app.admin.pages import Page
from app.cli.terminal import Group, Installation, as_json, print_one, print_page

COLUMNS = ("kid", "algorithm", "stage", "created_at", "activated_at", "replaced_at", "retired_at")

group = Group("signing-key", help="Signing keys: next, current, previous, retired.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


@group.command("list")
@as_json
def list_(json_wanted: bool) -> None:
    """Every signing key there has been, the oldest first."""
    at = Installation()
    print_page(Page(signing_keys.list_all(at.desk, at.actor)), json_wanted, COLUMNS)


@group.command("rotate")
@click.option("--algorithm", help="Of the key after the next: ES256, EdDSA or RS256.")
@click.option(
    "--force",
    is_flag=True,
    help="Even if verifiers may not know the next key yet: they may refuse new tokens until they "
    "have fetched it, for up to five minutes.",
)
@as_json
def rotate(algorithm: str | None, force: bool, json_wanted: bool) -> None:
    """Let the next key sign; the old one stays published until its last token has expired."""
    at = Installation()
    rotated = signing_keys.rotate(at.desk, at.actor, algorithm=algorithm, force=force)
    print_one(rotated, json_wanted)


# One kid in sixty-four begins with `-`: a thumbprint in base64url (RFC 7638).
@group.command("retire", context_settings={"ignore_unknown_options": True})
@click.argument("kid")
@click.option("--reason", default="by_hand", show_default=True, help="For the activity log.")
@as_json
def retire(kid: str, reason: str, json_wanted: bool) -> None:
    """Refuse from now on what a previous key has signed."""
    at = Installation()
    print_one(signing_keys.retire(at.desk, at.actor, kid, reason=reason), json_wanted)


@group.command("reseal")
@as_json
def reseal(json_wanted: bool) -> None:
    """Encrypt the private keys anew, under the first line of the master key's file.

    The step of replacing the master key after which the old one can go (docs/operations.md).
    """
    at = Installation()
    print_one({"resealed": signing_keys.reseal(at.desk, at.actor)}, json_wanted)
