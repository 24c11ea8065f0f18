"""``flask seed``: made-up clients, keys and events, to see how it is with real amounts."""

from __future__ import annotations

import click
from flask import Flask

from app.apikeys import seeding
from app.apikeys.seeding import Amounts
from app.cli.progress import progress
from app.cli.terminal import Installation, refusals

MOST = click.IntRange(0, 10_000_000)


def register(app: Flask) -> None:
    app.cli.add_command(seed_command)


@click.command("seed")
@click.option("--clients", type=MOST, default=100_000, show_default=True)
@click.option("--keys", type=MOST, default=100_000, show_default=True)
@click.option("--events", type=MOST, default=1_000_000, show_default=True)
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True,
              help="How far back it begins.")  # fmt: skip
@click.option("--org", metavar="ORG", help="Whose they are, by id or name. Default: the operator.")
@click.option("--yes", is_flag=True, help="Even into an organization that is in use.")
def seed_command(
    clients: int, keys: int, events: int, days: int, org: str | None, yes: bool
) -> None:
    """Fill an organization with made-up clients, API keys and events.

    To try out how things are with real amounts, on an installation made for that: what was made up
    is not told from what was not, and nobody is told its secrets.
    """
    wanted = {"clients": clients, "keys": keys, "events": events}
    with refusals(), progress(wanted) as done:
        at = Installation()
        seeding.seed(
            at.desk,
            at.actor,
            Amounts(days=days, **wanted),
            organization_id=at.organization(org),
            even_if_in_use=yes,
            progress=done,
        )
    click.echo(", ".join(f"{number:,} {what}" for what, number in wanted.items()))
