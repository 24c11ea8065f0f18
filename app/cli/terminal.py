"""What every command shares: who acts, how data and refusals are printed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click
from flask import current_app
from flask.cli import AppGroup

from app.admin import organizations
from app.admin.changes import UNSET, Unset
from app.admin.desk import Desk
from app.admin.operator import command_line
from app.admin.pages import DEFAULT_LIMIT, MAX_LIMIT, Page
from app.cli import screen
from app.cli.advice import with_advice
from app.records import Actor
from app.storage.schema import require_current
from app.wiring import services
from keyturn.errors import KeyturnError

LARGEST_FILE = 64 * 1024
READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

ONCE = "The secret is shown this once; only its hash is kept."

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"([0-9]{1,10})([smhdw]?)")


class Refused(click.ClickException):
    """The use case said no: one line on stderr, exit status 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        click.echo(f"keyturn: {' '.join(self.message.split())}", err=True)


@contextmanager
def refusals() -> Iterator[None]:
    """What a use case refuses becomes one line and exit status 1."""
    try:
        yield
    except KeyturnError as refusal:
        raise Refused(with_advice(refusal.description)) from None


class Group(AppGroup):
    """Commands that run in the app, and turn a refusal into exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        with refusals():
            return super().invoke(ctx)


class Duration(click.ParamType[int]):
    """Seconds, written ``3600``, ``15m``, ``24h``, ``90d`` or ``2w``."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is no duration: write 3600, 15m, 24h or 90d", param, ctx)
        return int(found[1]) * _UNITS[found[2] or "s"]


DURATION = Duration()


class Installation:
    """The use cases' desk, and the actor of the command line. Raises StartRefused."""

    def __init__(self) -> None:
        found = services(current_app)
        require_current(found.store)
        self.desk: Desk = found.desk
        self.actor: Actor = command_line(self.desk)

    def ago(self, seconds: int | None) -> datetime | None:
        """The instant so long before now; None where none is named."""
        return None if seconds is None else self.desk.clock() - timedelta(seconds=seconds)

    def organization(self, named: str | None) -> str | None:
        """The id of the organization that ``--org`` names; None where it was not used."""
        return None if named is None else self.named_organization(named)

    def named_organization(self, named: str) -> str:
        """An organization's id, from its id or its name. Raises NotFound."""
        if named.startswith("org_"):
            return organizations.show(self.desk, self.actor, named).id
        return organizations.find(self.desk, self.actor, named).id


# Options -----------------------------------------------------------------------------------


def as_json(command: F) -> F:
    """``--json``: print data as the management API would."""
    return click.option("--json", "json_wanted", is_flag=True, help="Print as JSON.")(command)


def org(command: F) -> F:
    """``--org``: whose object it is."""
    return click.option(
        "--org",
        metavar="ORG",
        help="The organization, by id or name. Default: the operator organization.",
    )(command)


def act_as(command: F) -> F:
    """``--act-as``: whom a service credential may act for."""
    return click.option(
        "--act-as",
        multiple=True,
        metavar="ORG",
        help="Of a service credential: for this organization alone. Default: for every one.",
    )(command)


def paged(command: F) -> F:
    """``--limit`` and ``--cursor`` of a list."""
    limited = click.option(
        "--limit",
        type=click.IntRange(1, MAX_LIMIT),
        default=DEFAULT_LIMIT,
        show_default=True,
        help="Entries to print.",
    )(command)
    return click.option("--cursor", help="Go on where a list has ended: its next_cursor.")(limited)


class Paged(TypedDict):
    """Which page of whose list, as use cases take it."""

    organization_id: str | None
    limit: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What every list of an organization's is asked with."""

    org: str | None
    limit: int
    cursor: str | None
    json_wanted: bool

    def page(self, at: Installation) -> Paged:
        """Raises NotFound."""
        return Paged(
            organization_id=at.organization(self.org), limit=self.limit, cursor=self.cursor
        )

    def show(self, page: Page[Any], columns: Sequence[str]) -> None:
        """Print what was found."""
        print_page(page, self.json_wanted, columns)


def listed(command: Callable[..., None]) -> Callable[..., None]:
    """``--org``, ``--limit``, ``--cursor`` and ``--json``: one argument, ``listing``."""

    @org
    @paged
    @as_json
    @wraps(command)
    def gathered(
        org: str | None, limit: int, cursor: str | None, json_wanted: bool, **named: Any
    ) -> None:
        command(listing=Listing(org, limit, cursor, json_wanted), **named)

    return gathered


def since(of: str = "Not older than that") -> Callable[[F], F]:
    """``--since``: seconds, for ``Installation.ago``."""
    return click.option("--since", type=DURATION, help=f"{of}, as 24h.")


def given(value: T | None) -> T | Unset:
    """An option that was not used changes nothing."""
    return UNSET if value is None else value


def replaced(values: Sequence[T], cleared: bool) -> Sequence[T] | Unset:
    """A repeatable option: what it names, nothing at all, or no change."""
    if values and cleared:
        raise click.UsageError("name entries, or clear them: not both")
    return () if cleared else values or UNSET


def tokens(scope: Iterable[str]) -> list[str] | None:
    """``--scope "a:b c:d"``, repeatable; None where it was not used."""
    return [token for text in scope for token in text.split()] or None


def json_file(file: Path | None) -> Any:
    """The JSON object in a file; what it must hold, the use case says. Raises Refused."""
    if file is None:
        return None
    try:
        found = json.loads(file.read_bytes()[:LARGEST_FILE])
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(f"{file} holds no JSON object")
    return found


# Output ------------------------------------------------------------------------------------


def print_one(value: Any, json_wanted: bool, **more: Any) -> None:
    """One object: JSON, or a line for each field."""
    data = plain(value) | plain(more)
    if json_wanted:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    if sys.stdout.isatty():
        screen.show_fields({name: _words(field) for name, field in data.items()})
        return
    width = max(map(len, data), default=0)
    for name, field in data.items():
        click.echo(f"{name.ljust(width)}  {_words(field)}")


def print_one_with(
    value: Any, json_wanted: bool, name: str, entries: Iterable[Any], columns: Sequence[str]
) -> None:
    """One object and a list that belongs to it: a field of the JSON, else a table below."""
    lines = [{column: plain(getattr(one, column)) for column in columns} for one in entries]
    if json_wanted:
        print_one(value, json_wanted, **{name: lines})
        return
    print_one(value, json_wanted)
    if lines:
        click.echo()
        print_table(lines, columns)


def print_page(page: Page[Any], json_wanted: bool, columns: Sequence[str]) -> None:
    """A list: JSON as the API's, or a table of these columns."""
    if json_wanted:
        data = [plain(one) for one in page.data]
        click.echo(
            json.dumps(
                {"data": data, "next_cursor": page.next_cursor}, indent=2, ensure_ascii=False
            )
        )
        return
    print_table([plain(one) for one in page.data], columns)
    if page.next_cursor is not None:
        click.echo(f"There are more: --cursor {page.next_cursor}", err=True)


def print_table(lines: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Columns under their names: a table on a terminal, else aligned text that tools can cut."""
    rows = [[_words(line[name]) for name in columns] for line in lines]
    if sys.stdout.isatty():
        screen.show_table(columns, rows)
        return
    cells = [list(columns), *rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    for row in cells:
        click.echo("  ".join(map(str.ljust, row, widths)).rstrip())


def say_once(json_wanted: bool) -> None:
    """Tell a person that the secret above will not come again; scripts know."""
    if not json_wanted:
        click.echo(ONCE, err=True)


def plain(value: Any) -> Any:
    """A frozen view as JSON knows it: times in RFC 3339, tuples as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {name: plain(field) for name, field in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value


def _words(field: Any) -> str:
    if field is None or field in ([], {}, ""):
        return "-"
    if isinstance(field, bool):
        return "yes" if field else "no"
    if isinstance(field, list):
        return " ".join(_words(one) for one in field)
    if isinstance(field, dict):
        return json.dumps(field, ensure_ascii=False)
    # What strangers have sent must not steer the terminal of whoever looks.
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in str(field))
