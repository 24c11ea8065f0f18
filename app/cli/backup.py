"""``flask backup`` and ``flask restore``: the whole installation in one encrypted file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
from flask import Flask, current_app

from app.admin import backup
from app.cli.progress import tables
from app.cli.terminal import Refused, as_json, print_one
from app.wiring import services
from keyturn.errors import KeyturnError

STREAM = "-"


def register(app: Flask) -> None:
    """Add both commands."""
    app.cli.add_command(backup_command)
    app.cli.add_command(restore_command)


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False))
@as_json
def backup_command(file: str, json_wanted: bool) -> None:
    """Write everything to FILE, encrypted under the master key; `-` is standard output.

    One moment of the database, while it goes on serving. The master key is not in the file: keep
    it somewhere else, because without it the file cannot be read.
    """
    found = services(current_app)
    with _refusals(), _written(file) as output, tables() as done:
        made = backup.back_up(found.desk, found.journal, output, done)
    if file != STREAM:
        print_one(made, json_wanted, file=file, bytes=Path(file).stat().st_size)


@click.command("restore")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--force", is_flag=True, help="Replace all that the database holds.")
@as_json
def restore_command(file: str, force: bool, json_wanted: bool) -> None:
    """Read everything back from FILE (`-`: standard input), all of it or nothing.

    Into an empty database with tables (`flask db upgrade`), of either kind.
    """
    found = services(current_app)
    with _refusals(), _read(file) as source, tables() as done:
        made = backup.restore(found.desk, source, force=force, progress=done)
    print_one(made, json_wanted)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except KeyturnError as refusal:
        raise Refused(refusal.description) from None
    except OSError as error:
        raise Refused(f"{error.filename or 'the file'}: {error.strerror}") from None


@contextmanager
def _read(name: str) -> Iterator[Any]:
    if name == STREAM:
        yield sys.stdin.buffer
    else:
        with open(name, "rb") as file:
            yield file


@contextmanager
def _written(name: str) -> Iterator[BinaryIO]:
    """Under its name only once it is complete and on the disk; for nobody else to read."""
    if name == STREAM:
        if sys.stdout.isatty():
            raise Refused("a backup is nothing for a terminal: name a file")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    if path.exists():
        raise Refused(f"{name} exists already: name a new file")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
