"""``flask doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

import json
import textwrap

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from app.admin.doctor import report
from app.cli.terminal import as_json, plain
from app.wiring import services

WIDTH = 96
_INDENT = " " * 26


def register(app: Flask) -> None:
    """Add the command."""
    app.cli.add_command(doctor_command)


@click.command("doctor")
@as_json
@with_appcontext
def doctor_command(json_wanted: bool) -> None:
    """Look at settings, keys, disk, journal, database and Redis, and sign a token.

    Changes nothing. Exit status 0 when nothing failed, 1 otherwise.
    """
    found = services(current_app)
    made = report(found.desk, found.journal)
    if json_wanted:
        click.echo(json.dumps(plain(made), indent=2, ensure_ascii=False))
    else:
        for one in made.findings:
            click.echo(f"{one.status}  {one.check.ljust(18)}  {one.message}")
            if one.action is not None:
                lines = textwrap.wrap(f"→ {one.action}", WIDTH - len(_INDENT))
                click.echo(textwrap.indent("\n".join(lines), _INDENT))
    if not made.ok:
        raise SystemExit(1)
