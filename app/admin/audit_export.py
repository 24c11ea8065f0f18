"""The audit log as a file that others can check (``app.admin.audit_verify``), and its checkpoints.

JSON Lines, each line in canonical form: first ``{"manifest": JWS}``, then chain after chain its
rows ``{"event": {…}, "hash": …}`` in order, and behind the row that it is about each
``{"checkpoint": JWS}``. So it is written and checked in one pass, however long it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from app.admin.desk import Desk
from app.admin.rights import reach, require, require_operator
from app.builtin import AUDIT_READ, ORGANIZATIONS_READ, SIGNING_KEYS_WRITE
from app.crypto.jws import read_unverified
from app.errors import Conflict, Invalid
from app.records import Actor
from app.storage import streams
from app.storage.canonical import GENESIS, canonical, document
from app.storage.checkpoints import Checkpoint
from app.storage.store import Store
from app.storage.streams import Stream
from app.tokens.checkpoints import MANIFEST_TYPE
from keyturn.wire import Unreadable

PAGE = 1000
"""Rows that are in memory at a time."""


def export(
    desk: Desk,
    actor: Actor,
    *,
    organization_id: str | None = None,
    everything: bool = False,
    after: Mapping[str, int] | None = None,
) -> Iterator[bytes]:
    """The lines of an export of one organization's chains, or of all; of each only the rows behind
    the one that ``after`` names.

    Raises Forbidden and NotFound at once; Conflict later, when retention has removed rows while
    they were read, or one was changed into what no event can be.
    """
    require(actor, AUDIT_READ)
    home = None
    if everything:
        require_operator(actor, ORGANIZATIONS_READ)
    else:
        home = reach(actor, organization_id, write=False)
    parts = _parts(desk.store, home, after or {})
    manifest = desk.checkpoints.manifest([part for _, part in parts], everything=everything)
    return _lines(desk.store, manifest, parts)


def checkpoint(desk: Desk, actor: Actor) -> list[Checkpoint]:
    """Sign every chain that has moved since its last checkpoint. Raises Forbidden."""
    require_operator(actor, SIGNING_KEYS_WRITE)
    return desk.checkpoints.make_now()


def ends(line: bytes) -> dict[str, int]:
    """The last row of each chain of an earlier export, by its first line. Raises Invalid."""
    try:
        manifest = read_unverified(str(orjson.loads(line)["manifest"]), MANIFEST_TYPE)
        return {part["stream"]: part["last"] for part in manifest.claims["streams"]}
    except (ValueError, KeyError, TypeError, Unreadable):
        raise Invalid("The earlier export does not begin with a manifest") from None


def _parts(
    store: Store, home: str | None, ends: Mapping[str, int]
) -> list[tuple[Stream, dict[str, Any]]]:
    """Each chain, and what the manifest says of the part of it that is exported."""
    parts = []
    with store.connect() as connection:
        for stream in streams.listed(connection, home):
            after = min(max(ends.get(stream.stream, 0), stream.kept_after), stream.sequence)
            first_checkpoint = stream.first_checkpoint
            if after > stream.kept_after:
                first_checkpoint = streams.first_checkpoint_about(connection, stream, after)
            part = {
                "stream": stream.stream,
                "first": after + 1,
                "last": stream.sequence,
                "previous": _hash_before(connection, stream, after).hex(),
                "head": stream.head_hash.hex(),
                "kept_after": stream.kept_after,
                "checkpoints": {
                    "first": first_checkpoint,
                    "last": stream.checkpoint,
                    "head": stream.checkpoint_hash.hex(),
                },
            }
            parts.append((stream, part))
    return parts


def _hash_before(connection: Any, stream: Stream, after: int) -> bytes:
    """The hash of row ``after``, which is not exported and may not exist any more."""
    if after == 0:
        return GENESIS
    if after == stream.sequence:
        return stream.head_hash
    following = streams.rows_between(connection, stream.stream, after, stream.sequence, 1)
    return following[0]["previous_hash"] if following else GENESIS


def _lines(
    store: Store, manifest: str, parts: list[tuple[Stream, dict[str, Any]]]
) -> Iterator[bytes]:
    yield _line({"manifest": manifest})
    for stream, part in parts:
        rows = _rows(store, stream, part["first"] - 1)
        row = next(rows, None)
        for found in _checkpoints(store, stream, part["checkpoints"]["first"] - 1):
            while row is not None and row["sequence"] <= found.sequence:
                yield _event(row)
                row = next(rows, None)
            yield _line({"checkpoint": found.jws})
        while row is not None:
            yield _event(row)
            row = next(rows, None)
        _require_untouched(store, stream, part["first"])


def _rows(store: Store, stream: Stream, after: int) -> Iterator[Any]:
    while True:
        with store.connect() as connection:
            page = streams.rows_between(connection, stream.stream, after, stream.sequence, PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]["sequence"]


def _checkpoints(store: Store, stream: Stream, after: int) -> Iterator[Any]:
    while True:
        with store.connect() as connection:
            page = streams.checkpoints_between(
                connection, stream.stream, after, stream.checkpoint, PAGE
            )
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].number


def _require_untouched(store: Store, stream: Stream, first: int) -> None:
    with store.connect() as connection:
        kept_after = streams.kept_after(connection, stream.stream)
    if kept_after is None or kept_after >= first:
        raise Conflict("Retention has removed events while they were read: export again")


def _event(row: Mapping[str, Any]) -> bytes:
    try:
        return _line({"event": document(row), "hash": row["hash"].hex()})
    except ValueError as error:
        raise Conflict(
            f"What stands in row {row['sequence']} of {row['stream']} was never written by us, and "
            f"cannot be exported: {error}"
        ) from None


def _line(value: dict[str, Any]) -> bytes:
    return canonical(value) + b"\n"
