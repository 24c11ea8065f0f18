"""Backup and restore: all that the database holds, in one file under the master key.

The file: a line that names the format, a head in JSON (its length in four bytes before it), then
lines of JSON, compressed and sealed in chunks (``app.crypto.sealed``). The head is open to read,
because it says which master key the rest needs; it goes into the key of the rest, so a head that
was changed opens nothing. Both directions take files of any size and need a few hundred kilobytes.
"""

from __future__ import annotations

import gzip
import struct
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import BinaryIO, cast

import orjson

from app.admin.desk import Desk
from app.admin.operator import command_line, operator_actor
from app.crypto.master_key import MasterKey, read_master_key
from app.crypto.sealed import SealedReader, SealedWriter
from app.errors import Invalid, StartRefused
from app.storage import organizations, schema
from app.storage.dump import Progress, dump, load, snapshot
from app.storage.journal import Journal
from app.storage.shipping import ship
from keyturn import __version__

MAGIC = b"KEYTURN BACKUP "
FORMAT = b"1"
SALT_BYTES = 32
PATIENCE = 3.0
"""Seconds to wait for events that this node's workers have just written."""
_LONGEST_HEAD = 64 * 1024
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup's head says, and how much it held when it was written or read."""

    created_at: datetime
    schema: str
    master_key: str
    """The id of the key that it needs."""
    version: str
    """Of Keyturn, that wrote it."""
    rows: int = 0


def back_up(desk: Desk, journal: Journal, file: BinaryIO, progress: Progress) -> Backup:
    """Write one consistent backup. Raises StartRefused and Unavailable; ``file`` is then waste.

    Token events that wait in this node's journal are shipped first; what waits on other nodes
    comes into the next backup.
    """
    master_key = read_master_key(desk.settings.keys_dir, desk.settings.master_key)
    up_to_date = _revision(desk) == schema.head()
    if up_to_date:
        _ship(desk, journal)
    salt = desk.random_bytes(SALT_BYTES)
    rows = 0
    with snapshot(desk.store) as connection:
        revision = schema.revision_of(connection) or ""
        made = Backup(desk.clock(), revision, master_key.id, __version__)
        head = _head(made, salt)
        file.write(MAGIC + FORMAT + b"\n" + _LENGTH.pack(len(head)) + head)
        sealed = SealedWriter(file, _key(master_key, salt, head))
        with gzip.GzipFile(fileobj=cast("BinaryIO", sealed), mode="wb", mtime=0) as lines:
            for line in dump(connection, progress):
                lines.write(line)
                rows += not line.startswith(b"{")
        sealed.finish()
    if up_to_date:
        with desk.store.transaction(command_line(desk)) as work:
            work.record("backup.created", "backup", made.created_at.isoformat(), rows=rows)
    return replace(made, rows=rows)


def restore(desk: Desk, file: BinaryIO, *, force: bool, progress: Progress) -> Backup:
    """Write a backup into an empty database, or in place of all it holds; all of it or nothing.

    Raises Invalid, StartRefused and Unavailable, each saying what to do.
    """
    made, salt, head = _read_head(file)
    master_key = read_master_key(desk.settings.keys_dir, desk.settings.master_key)
    opens = master_key.named(made.master_key)
    if opens is None:
        raise Invalid(
            f"The backup was encrypted under another master key ({made.master_key}; this is "
            f"{master_key.id}): put that key into {desk.settings.keys_dir}/ or KEYTURN_MASTER_KEY"
        )
    revision = _revision(desk)
    if revision != made.schema:
        raise Invalid(_other_schema(made, revision))
    sealed = SealedReader(file, _key(opens, salt, head))
    # The command line is the actor; before the last row is in, there is no organization for it.
    with (
        desk.store.transaction(operator_actor("")) as work,
        gzip.GzipFile(fileobj=cast("BinaryIO", sealed), mode="rb") as lines,
    ):
        rows = load(work, lines, replace=force, progress=progress)
        operator = organizations.operator(work.session) if revision == schema.head() else None
        if operator is not None:
            work.record(
                "backup.restored",
                "backup",
                made.created_at.isoformat(),
                organization_id=operator.id,
                rows=rows,
            )
    return replace(made, rows=rows)


def _ship(desk: Desk, journal: Journal) -> None:
    """Ship what there is; what a worker appends to just now, it ends itself within a second."""
    there = journal.segments().keys()
    deadline = time.monotonic() + PATIENCE
    while True:
        ship(journal, desk.store)
        if not there & journal.segments().keys() or time.monotonic() > deadline:
            return
        time.sleep(0.1)


def _revision(desk: Desk) -> str:
    found = schema.revision(desk.store)
    if found is None:
        raise StartRefused("The database has no tables: run `flask db upgrade`")
    return found


def _key(master_key: MasterKey, salt: bytes, head: bytes) -> bytes:
    return master_key.derived(salt, b"keyturn backup " + FORMAT + sha256(head).digest())


def _head(made: Backup, salt: bytes) -> bytes:
    return orjson.dumps(
        {
            "created_at": made.created_at.isoformat(),
            "schema": made.schema,
            "master_key": made.master_key,
            "version": made.version,
            "salt": b64encode(salt).decode("ascii"),
        }
    )


def _read_head(file: BinaryIO) -> tuple[Backup, bytes, bytes]:
    start = file.readline(len(MAGIC) + 16)
    if not start.startswith(MAGIC) or not start.endswith(b"\n"):
        raise Invalid("The file is no backup of Keyturn")
    if start != MAGIC + FORMAT + b"\n":
        raise Invalid(
            "The backup has a format that this version does not know: restore it with the version "
            "that made it"
        )
    try:
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        head = file.read(min(length, _LONGEST_HEAD))
        fields = orjson.loads(head)
        made = Backup(
            created_at=datetime.fromisoformat(fields["created_at"]),
            schema=str(fields["schema"]),
            master_key=str(fields["master_key"]),
            version=str(fields["version"]),
        )
        return made, b64decode(fields["salt"], validate=True), head
    except (struct.error, ValueError, KeyError, TypeError):
        raise Invalid("The head of the backup is damaged or cut off: take another copy") from None


def _other_schema(made: Backup, revision: str) -> str:
    if not schema.knows(made.schema):
        return (
            f"The backup's schema {made.schema} is newer than this code: restore it with Keyturn "
            f"{made.version} or newer"
        )
    return (
        f"The backup has schema {made.schema}, the database {revision}: on a new, empty database "
        f"run `flask db upgrade {made.schema}`, restore, and then `flask db upgrade`"
    )
