"""Ship the journal to the database: in batches, each event exactly once, by any worker."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
from sqlalchemy.exc import StatementError

from app.background import Turns
from app.errors import Conflict, Unavailable
from app.records import SUCCESS, Event
from app.storage import chain, usage
from app.storage.canonical import LANES, instant_of, require_canonical
from app.storage.engine import make_room
from app.storage.journal import Journal
from app.storage.store import Store

log = logging.getLogger(__name__)

BATCH = 5000
"""Rows of a transaction: its commit and the notes of last use are paid once for all of them."""
LANE = crc32(socket.gethostname().encode()) % LANES
"""Which of an organization's chains of token events this node appends to: eight, so that nodes
seldom wait for one another, and that there are not too many to sign (ADR 9)."""
REJECTED = "rejected.txt"
"""Lines that no event can be read from are kept here, for people."""

_TEXTS = frozenset(Event.__dataclass_fields__) - {"time", "details"}
_TEXT_OR_NONE = frozenset({str, type(None)})
_BLANK = {**dict.fromkeys(_TEXTS), "outcome": SUCCESS}


def ship(journal: Journal, store: Store, older_than: float = 0.0) -> int:
    """Ship what is finished and was begun so many seconds ago; answers how many events. Raises
    Unavailable; then nothing is lost.

    A crash between the commit and the removal ships a segment twice; the events' ids make the
    second time change nothing. A line that the database does not take is set aside: it must not
    stand in the way of all that come after it.
    """
    shipped = 0
    for segment in journal.finished(older_than):
        refused: list[bytes] = []
        for start in range(0, len(segment.lines), BATCH):
            refused += _ship_lines(segment.lines[start : start + BATCH], store)
        for line in refused:
            _set_aside(segment.path, line)
        segment.remove()
        shipped += len(segment.lines) - len(refused)
    return shipped


def _ship_lines(lines: Sequence[bytes], store: Store) -> list[bytes]:
    """Answers those that are no events. Only so many at once, for the interpreter's collector looks
    at all that are in memory."""
    events: list[tuple[bytes, dict[str, Any]]] = []
    refused: list[bytes] = []
    for line in lines:
        try:
            events.append((line, read_event(line)))
        except (ValueError, KeyError, OverflowError):
            refused.append(line)
    return refused + (_write_what_fits(store, events) if events else [])


def read_event(line: bytes) -> dict[str, Any]:
    """A journal line as ``app.storage.chain`` takes it. Raises ValueError, KeyError and
    OverflowError."""
    event = orjson.loads(line)
    if not isinstance(event, dict) or not line.endswith(b"\n"):
        raise ValueError("not a whole line")
    nanoseconds, details = event.pop("time"), event.pop("details", {})
    is_event = (
        type(nanoseconds) is int
        and type(details) is dict
        and event.keys() <= _TEXTS
        and _TEXT_OR_NONE.issuperset(map(type, event.values()))
    )
    if not is_event:
        raise ValueError("not an event")
    require_canonical(details)
    return {**_BLANK, **event, "time": instant_of(nanoseconds), "details": details}


def _write_what_fits(store: Store, events: Sequence[tuple[bytes, dict[str, Any]]]) -> list[bytes]:
    """All of them at once; where that fails, half by half. Answers the lines that do not fit."""
    try:
        write(store, [row for _, row in events])
    except (Conflict, StatementError):
        if len(events) == 1:
            return [events[0][0]]
        middle = len(events) // 2
        halves = events[:middle], events[middle:]
        return [line for half in halves for line in _write_what_fits(store, half)]
    return []


def write(store: Store, rows: Sequence[dict[str, Any]]) -> None:
    """Write token events as ``read_event`` gives them, but for those that are there already."""
    with store.begin() as connection:
        make_room(connection)
        new = chain.append_once(connection, rows, LANE)
        # Last, so that nodes whose clients are the same do not wait for each other's events.
        usage.note_events(connection, new, LANE)


def _set_aside(segment: Path, line: bytes) -> None:
    log.error("%s: a line that is no event was set aside in %s", segment.name, REJECTED)
    path = segment.with_name(REJECTED)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(line.rstrip(b"\n") + b"\n")


class Shipper:
    """Ships in the background of a serving process, once a second."""

    def __init__(self, journal: Journal, store: Store, interval: float = 1.0) -> None:
        self._journal = journal
        self._store = store
        self._turns = Turns("shipper", self.ship_now, interval)
        self._patience = 0.0
        self.shipped = 0
        self.failures = 0
        self._shipping = threading.Lock()

    def start(self) -> None:
        self._turns.start()

    def stand_by(self, patience: float) -> None:
        """Leave it to another process, but for what has waited for so many seconds."""
        self._patience = patience

    def stop(self) -> None:
        """Ship what is left, if the database lets us, and end."""
        self._turns.stop(patience=10)
        self._journal.close()
        self.ship_now()

    def ship_now(self) -> None:
        """End the segment and ship it; what cannot be shipped now stays for the next time. What
        another thread is shipping has arrived, too, when this returns."""
        try:
            with self._shipping:
                self._journal.seal()
                self.shipped += ship(self._journal, self._store, self._patience)
        except Unavailable as error:
            self.failures += 1
            log.warning("the journal waits: %s", error.detail)
        except Exception:
            # The thread goes on, and the segment stays: the next second tries it again.
            self.failures += 1
            log.exception("the journal waits")
        self._journal.depth()
