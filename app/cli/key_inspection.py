"""``flask key inspect``: which rule blocks a key."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask.cli import with_appcontext

from app.apikeys import inspection
from app.cli.terminal import (
    READABLE,
    Installation,
    Refused,
    as_json,
    json_file,
    plain,
    print_one,
    print_table,
    tokens,
)

LONGEST_KEY = 16 * 1024


@click.command("inspect")
@click.option("--ip", help="As if it came from this address.")
@click.option("--origin", help="As if a page of this origin sent it, as https://shop.example.com.")
@click.option("--environment", help="As if the API were of this environment.")
@click.option("--needs", multiple=True, metavar="SCOPES", help="As if the route needed these.")
@click.option("--route", metavar="ROUTE", help="As if it were 'GET /bookings/7' of --policy.")
@click.option("--policy", type=READABLE, help="What each route asks: a route policy, as JSON.")
@as_json
@with_appcontext
def inspect(
    ip: str | None,
    origin: str | None,
    environment: str | None,
    needs: tuple[str, ...],
    route: str | None,
    policy: Path | None,
    json_wanted: bool,
) -> None:
    """Say which rule blocks a key, read from stdin: it is no argument, for arguments are listed.

    Exit status 1 when a rule blocks it.
    """
    at = Installation()
    asked = inspection.Situation(
        ip=ip,
        origin=origin,
        environment=environment,
        scopes=tokens(needs) or (),
        route=route,
        policy=json_file(policy),
    )
    found = inspection.inspect(at.desk, at.actor, _key_from_stdin(), asked)
    if json_wanted:
        print_one(found, True, passed=found.passed)
    else:
        words = {True: "ok", False: "BLOCKS", None: "-"}
        print_table(
            [plain(check) | {"passed": words[check.passed]} for check in found.checks],
            ("rule", "passed", "says"),
        )
    if not found.passed:
        blocking = next(check for check in found.checks if check.passed is False)
        raise Refused(f"{blocking.rule}: {blocking.says}")


def _key_from_stdin() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Key", hide_input=True, err=True)).strip()
    text = sys.stdin.read(LONGEST_KEY + 2).strip()
    if not text:
        raise click.UsageError("no key on stdin")
    return text
