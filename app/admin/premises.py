"""What lies on this machine: the directory of keys, the journal, the disk under them."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from app.admin.findings import Finding, failed, passed, warned
from app.settings import PREFIX, Settings
from app.storage.journal import Journal
from app.storage.shipping import REJECTED

MIB = 1024 * 1024
LITTLE = 64 * MIB
"""Free bytes below which something fails within the hour."""
LATE = 60.0
"""Seconds after which an event should long be in the database."""
FULL = 0.8


def permissions(settings: Settings) -> Iterator[Finding]:
    """Who can reach the keys and the journal besides us."""
    if settings.master_key is None:
        yield _permissions("keys directory", settings.keys_dir, ours=False)
    yield _permissions("journal directory", settings.journal_dir, ours=True)
    file = sqlite_file(settings)
    if file is not None:
        yield _permissions("database directory", str(file.parent), ours=True)


def _permissions(check: str, name: str, *, ours: bool) -> Finding:
    """``ours``: we write into it, and what we write is for nobody else to read. The master key's
    own mode is checked when it is read."""
    path = Path(name)
    if not path.exists():
        if not ours:
            return failed(check, f"there is no {name}", "run `flask bootstrap`, or restore it")
        above = _existing(path)
        if os.access(above, os.W_OK | os.X_OK):
            return passed(check, f"{name} will be made when it is needed")
        return failed(
            check, f"{name} cannot be made in {above}", f"make it, owned by {_who()}, mode 0700"
        )
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        return failed(check, f"{name} is no directory", "name another one, or remove it")
    if ours and not os.access(path, os.W_OK | os.X_OK):
        return failed(check, f"{name} cannot be written to", f"let {_who()} own it")
    mode = f"{name} has mode {stat.S_IMODE(status.st_mode):04o}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return failed(check, f"{mode}: others can write to it", f"run `chmod 700 {name}`")
    if ours and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return warned(check, f"{mode}: others can look into it", f"run `chmod 700 {name}`")
    return passed(check, mode)


def disk(settings: Settings, waiting: int) -> Iterator[Finding]:
    """Room for the journal, and for SQLite, on each file system once."""
    growing = [Path(settings.journal_dir)]
    file = sqlite_file(settings)
    if file is not None:
        growing.append(file.parent)
    seen = set()
    for path in map(_existing, growing):
        device = path.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(path).free
        wanted = max(0, settings.journal_limit - waiting)
        says = f"{free // MIB:,} MiB free at {path}"
        if free < LITTLE:
            yield failed("disk", says, "make room: nothing is issued once the journal is stuck")
        elif free < wanted:
            yield warned(
                "disk",
                f"{says}; the journal may want {wanted // MIB:,} MiB while the database is away",
                f"make room, or lower {PREFIX}JOURNAL_LIMIT",
            )
        else:
            yield passed("disk", says)


def journal(settings: Settings, kept: Journal, now: float) -> Finding:
    """How much waits for the database, and for how long."""
    depth, begun = kept.depth(), kept.segments().values()
    age = now - min(begun) if begun else 0.0
    says = f"{depth / MIB:.1f} of {settings.journal_limit // MIB:,} MiB wait"
    if begun:
        says += f", the oldest since {age:.0f} s"
    if depth > settings.journal_limit * FULL:
        return failed("journal", says, "bring the database back: a full journal issues nothing")
    if age > LATE:
        return warned(
            "journal",
            says,
            "a server on this machine ships it once a second: is one running, and what does its "
            "log say?",
        )
    rejected = Path(settings.journal_dir) / REJECTED
    if rejected.exists():
        return warned(
            "journal",
            f"{says}; {rejected} holds lines that are no events",
            "read them (a crash may have cut them off), then move the file away",
        )
    return passed("journal", says)


def sqlite_file(settings: Settings) -> Path | None:
    """The database's file; None where it is a server."""
    scheme, separator, path = settings.database_url.partition("sqlite:///")
    return Path(path).absolute() if separator and not scheme else None


def _existing(path: Path) -> Path:
    """The path, or what exists of it."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _who() -> str:
    return f"user {os.geteuid()}"
