"""``flask audit``: who did what to which, and that nobody has changed it since."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import click
from flask import Flask

from app.admin import activity, audit_export, audit_verify, refusals
from app.admin.activity import EventFilter
from app.admin.audit_chain import ChainReport
from app.admin.pages import MAX_LIMIT
from app.cli.progress import counted
from app.cli.terminal import (
    READABLE,
    Group,
    Installation,
    Refused,
    as_json,
    plain,
    print_table,
    since,
)
from app.crypto.signing import ALGORITHMS
from app.errors import Invalid
from app.records import REFUSED, SUCCESS, Event
from app.storage.canonical import INSTALLATION
from keyturn import wire
from keyturn.jwk import VerificationKey, read_jwks
from keyturn.jwks import FixedKeys

EVENT_OUTCOMES = (SUCCESS, REFUSED)
POLL = 0.5
"""Seconds between two looks with ``--follow``."""

LARGEST_JWKS = 1024 * 1024

group = Group("audit", help="The activity log, and proof that it is whole.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


@group.command("tail")
@click.option("-n", "--lines", type=click.IntRange(0, MAX_LIMIT), default=20, show_default=True)
@click.option("--follow", "-f", is_flag=True, help="Go on until interrupted.")
@click.option("--type", "type_", help="As client.created, or 'client.*'.")
@click.option("--actor", "actor_id", metavar="ID", help="Who did it.")
@click.option("--target", "target_id", metavar="ID", help="To which.")
@click.option("--outcome", type=click.Choice(EVENT_OUTCOMES))
@click.option("--ip", help="From this address.")
@click.option("--request-id")
@since()
@click.option("--org", metavar="ORG", help="One organization, by id or name. Default: all.")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object a line.")
def tail(
    lines: int,
    follow: bool,
    type_: str | None,
    actor_id: str | None,
    target_id: str | None,
    outcome: str | None,
    ip: str | None,
    request_id: str | None,
    since: int | None,
    org: str | None,
    json_wanted: bool,
) -> None:
    """The last events, the youngest at the end."""
    at = Installation()
    wanted = EventFilter(
        type=type_,
        actor_id=actor_id,
        target_id=target_id,
        outcome=outcome,
        ip=ip,
        request_id=request_id,
        since=at.ago(since),
    )
    organization_id = at.organization(org)

    def youngest(limit: int) -> tuple[Event, ...]:
        return activity.list_page(
            at.desk,
            at.actor,
            wanted,
            limit=limit,
            organization_id=organization_id,
            everywhere=organization_id is None,
        ).data

    shown = youngest(max(1, lines))
    last = shown[0].id if shown else ""
    _print(shown[:lines], json_wanted)
    while follow:
        time.sleep(POLL)
        fresh = [event for event in youngest(MAX_LIMIT) if event.id > last]
        if fresh:
            last = fresh[0].id
            _print(fresh, json_wanted)


@group.command("why")
@click.argument("request_id")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object a line.")
def why(request_id: str, json_wanted: bool) -> None:
    """Why the request of this id (X-Request-Id) was refused, and what to do about it."""
    at = Installation()
    found = refusals.why(at.desk, at.actor, request_id)
    if not found:
        raise Refused(
            "No refusal under this id: it is not written down yet, or it is another API's"
        )
    for one in found:
        _print([one.event], json_wanted)
        if not json_wanted:
            click.echo(f"  {one.advice}")


def _print(events: Iterable[Event], json_wanted: bool) -> None:
    for event in reversed(tuple(events)):
        data = plain(event)
        if json_wanted:
            click.echo(json.dumps(_nested(data), ensure_ascii=False))
            continue
        outcome = event.outcome if event.reason is None else f"{event.outcome} ({event.reason})"
        click.echo(
            f"{data['time']}  {event.type}  {outcome}  "
            f"{event.actor_type}:{event.actor_id or '-'} -> "
            f"{event.target_type or '-'}:{event.target_id or '-'}"
        )


def _nested(event: dict[str, Any]) -> dict[str, Any]:
    """An event in the shape of ``/v1/activity`` (CONTRACT §6)."""
    actor = {"type": event.pop("actor_type"), "id": event.pop("actor_id")}
    target = {"type": event.pop("target_type"), "id": event.pop("target_id")}
    first = {name: event.pop(name) for name in ("id", "time", "type")}
    return first | {"actor": actor, "target": target} | event


@group.command("export")
@click.option(
    "--org",
    metavar="ORG",
    help="One organization's chains, by id or name; 'installation': those of no organization.",
)
@click.option("--all", "everything", is_flag=True, help="Every chain; the default.")
@click.option("--after", type=READABLE, help="Only what came after this earlier export.")
def export(org: str | None, everything: bool, after: Path | None) -> None:
    """Write the audit log as JSON Lines, for `flask audit verify` or for keeping elsewhere."""
    if org is not None and everything:
        raise click.UsageError("name an organization, or take all: not both")
    at = Installation()
    lines = audit_export.export(
        at.desk,
        at.actor,
        organization_id=INSTALLATION if org == INSTALLATION else at.organization(org),
        everything=org is None,
        after=None if after is None else _ends(after),
    )
    for line in counted(lines, "lines"):
        click.echo(line, nl=False)


def _ends(path: Path) -> dict[str, int]:
    with path.open("rb") as file:
        return audit_export.ends(file.readline(audit_verify.LONGEST_LINE))


@group.command("checkpoint")
@as_json
def checkpoint(json_wanted: bool) -> None:
    """Sign every chain that has moved, now. Kept elsewhere, that is proof (`verify --earlier`)."""
    at = Installation()
    made = [
        {
            "stream": one.stream,
            "sequence": one.sequence,
            "head": one.head_hash.hex(),
            "time": plain(one.time),
            "kid": one.kid,
            "checkpoint": one.jws,
        }
        for one in audit_export.checkpoint(at.desk, at.actor)
    ]
    if json_wanted:
        click.echo(json.dumps({"data": made}, indent=2))
    else:
        print_table(made, ("stream", "sequence", "head", "time"))


@group.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--jwks",
    "jwks_files",
    type=READABLE,
    multiple=True,
    required=True,
    help="The public keys, as /.well-known/jwks.json has them; repeatable.",
)
@click.option(
    "--earlier",
    type=READABLE,
    multiple=True,
    help="An earlier export, or checkpoints kept elsewhere, that must still be true; repeatable.",
)
@as_json
def verify(
    file: str, jwks_files: tuple[Path, ...], earlier: tuple[Path, ...], json_wanted: bool
) -> None:
    """Check an export, offline: needs no installation, only FILE ("-": stdin) and public keys."""
    keys = FixedKeys(key for path in jwks_files for key in _keys(path))
    with click.open_file(file, "rb") as export:
        lines = counted(_lines(export), "lines")
        report = audit_verify.verify(lines, keys, _texts(earlier))
    if json_wanted:
        data = plain(report) | {"whole": report.is_whole}
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        _print_report(report)
    if not report.is_whole:
        raise Refused(f"{file}: not what was written ({len(report.findings)} findings)")


def _keys(path: Path) -> Iterable[VerificationKey]:
    with path.open("rb") as file:
        content = file.read(LARGEST_JWKS)
    try:
        return read_jwks(wire.json_object(content), ALGORITHMS).values()
    except wire.Unreadable as error:
        raise Invalid(f"{path} is no JWK Set: {error.detail}") from None


def _lines(file: IO[Any]) -> Iterator[bytes]:
    while line := file.readline(audit_verify.LONGEST_LINE):
        yield line


def _texts(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file


def _print_report(report: audit_verify.Report) -> None:
    if report.time is not None:
        click.echo(f"{report.issuer}, exported {plain(report.time)}")
        print_table([_words(chain) for chain in report.chains], tuple(_COLUMNS))
    for finding in report.findings:
        click.echo(finding)
    if report.is_whole:
        click.echo("Whole: nothing was changed, removed, inserted or cut off.")


_COLUMNS = ("stream", "rows", "removed", "checkpoints", "signed")


def _words(chain: ChainReport) -> dict[str, str]:
    checkpoints = f"{chain.checkpoints_checked} checked"
    if chain.checkpoints_not_checkable:
        checkpoints += f", {chain.checkpoints_not_checkable} not checkable"
    signed = f"to {chain.signed_until}, {plain(chain.signed_at)}" if chain.signed_at else "-"
    return {
        "stream": chain.stream,
        "rows": f"{chain.first}-{chain.last}" if chain.last >= chain.first else "none",
        "removed": f"1-{chain.kept_after}" if chain.kept_after else "none",
        "checkpoints": checkpoints,
        "signed": signed,
    }
