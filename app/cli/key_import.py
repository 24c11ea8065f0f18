"""``flask key import``: keys that another system has given out go on working here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from flask.cli import with_appcontext

from app.admin.pages import Page
from app.apikeys.importing import ForeignKey, import_keys
from app.cli.key_files import FORMATS
from app.cli.progress import counted
from app.cli.terminal import Installation, Refused, as_json, org, plain, print_page, tokens

COLUMNS = ("place", "id", "name", "environment", "status", "outcome")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@org
@click.option(
    "--format", "format_", type=click.Choice(tuple(FORMATS)), help="Default: by its name."
)
@click.option("--environment", help="Of keys that name none.")
@click.option("--scope", multiple=True, help="Of keys that name neither scopes nor a preset.")
@click.option("--preset", help="Instead of --scope.")
@click.option("--over-plan", is_flag=True, help="Even beyond the plan's number of keys.")
@as_json
@with_appcontext
def import_(
    file: str,
    org: str | None,
    format_: str | None,
    environment: str | None,
    scope: tuple[str, ...],
    preset: str | None,
    over_plan: bool,
    json_wanted: bool,
) -> None:
    """Take over keys of another system: all of FILE, or nothing.

    FILE is JSON Lines or CSV, - is stdin; each line has `key` or its `sha256`, and a `name`.
    """
    at = Installation()
    read = FORMATS[format_ or ("csv" if Path(file).suffix == ".csv" else "jsonl")]
    try:
        with click.open_file(file, encoding="utf-8-sig") as text:
            keys = [
                _by_default(one, environment, tokens(scope), preset)
                for one in counted(read(text), "keys read")
            ]
    except UnicodeDecodeError:
        raise Refused("the file is not UTF-8") from None
    done = import_keys(
        at.desk,
        at.actor,
        keys,
        organization_id=at.organization(org),
        over_plan=over_plan,
    )
    found = [
        plain(one.api_key) | {"place": one.place, "outcome": "imported" if one.is_new else "known"}
        for one in done
    ]
    print_page(Page(tuple(found), None), json_wanted, COLUMNS)
    for one in done:
        if one.is_weak:
            click.echo(f"{one.place}: this key is so short that it could be guessed", err=True)


def _by_default(
    one: ForeignKey, environment: str | None, scopes: list[str] | None, preset: str | None
) -> ForeignKey:
    new = replace(one.new, environment=one.new.environment or environment)
    if new.scopes is None and new.preset is None:
        new = replace(new, scopes=scopes, preset=preset)
    return replace(one, new=new)
