"""A flood of one and the same line: the first at once, then a count every few seconds.

While the database is away every request has the same thing to say. The first says it; the rest
are one line a window, with how many there were, and nothing of another kind is lost among them.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from app.observe.context import REQUEST_ID, TRACE_ID

WINDOW = 5.0
"""Seconds between two lines of one kind."""
MAX_KINDS = 256
"""Kinds remembered at a time; past that a kind is a place in the code, of which there are few."""

_NUMBER = re.compile(r"\d+")


@dataclass(slots=True)
class _Kind:
    until: float
    first_request_id: str | None
    count: int = 0
    last: logging.LogRecord | None = None


class BoundedHandler(logging.Handler):
    """Writes formatted lines, repetitions as counts (``repeated``).

    An error of a request keeps its line, because its caller was told its request id; only the
    traceback is not written again.
    """

    def __init__(self, write: Callable[[str], object], window: float = WINDOW) -> None:
        super().__init__()
        self._write = write
        self._window = window
        self._kinds: dict[object, _Kind] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called by ``handle`` under this handler's lock."""
        record.__dict__.setdefault("request_id", REQUEST_ID.get())
        record.__dict__.setdefault("trace_id", TRACE_ID.get())
        kind = self._kind_of(record, time.monotonic())
        if kind is None:
            self._line(record)
        elif record.levelno >= logging.ERROR and _request_id(record):
            self._line(_without_traceback(record, kind.first_request_id))
        else:
            kind.count += 1
            kind.last = _without_traceback(record)
            self._expect_tick()

    def flush(self) -> None:
        """Write the counts that are due and those that are not; called at the end, too."""
        with self.lock or threading.Lock():
            for kind in self._kinds.values():
                self._repeated(kind)

    def _kind_of(self, record: logging.LogRecord, now: float) -> _Kind | None:
        """The kind that this repeats; None for the first of its kind."""
        key = _key(record)
        if key not in self._kinds and len(self._kinds) >= MAX_KINDS:
            self._forget(now)
            if len(self._kinds) >= MAX_KINDS:
                key = (record.name, record.pathname, record.lineno)
        kind = self._kinds.get(key)
        if kind is not None and now < kind.until:
            return kind
        if kind is not None:
            self._repeated(kind)
        self._kinds[key] = _Kind(now + self._window, _request_id(record))
        return None

    def _tick(self) -> None:
        with self.lock or threading.Lock():
            self._timer = None
            now = time.monotonic()
            for kind in self._kinds.values():
                if kind.until <= now and kind.count:
                    self._repeated(kind)
                    kind.until = now + self._window
            self._forget(now)
            if any(kind.count for kind in self._kinds.values()):
                self._expect_tick()

    def _expect_tick(self) -> None:
        # Not alive in a child that was forked meanwhile: then it has one of its own.
        if self._timer is None or not self._timer.is_alive():
            self._timer = threading.Timer(self._window, self._tick)
            self._timer.daemon = True
            self._timer.start()

    def _repeated(self, kind: _Kind) -> None:
        if kind.count and kind.last is not None:
            kind.last.repeated = kind.count
            self._line(kind.last)
        kind.count, kind.last = 0, None

    def _forget(self, now: float) -> None:
        for key in [key for key, kind in self._kinds.items() if kind.until <= now]:
            self._repeated(self._kinds.pop(key))

    def _line(self, record: logging.LogRecord) -> None:
        try:
            self._write(self.format(record))
        except Exception:  # noqa: BLE001 - a line that fails must neither fail its request …
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        # … nor be printed unmasked, as logging does: arguments and all.
        bare = logging.makeLogRecord(
            {
                "name": record.name,
                "levelname": record.levelname,
                "levelno": record.levelno,
                "created": record.created,
                "msg": "a log line could not be written (%s:%s)",
                "args": (record.module, record.lineno),
            }
        )
        with suppress(Exception):  # stderr itself is gone: there is nobody to tell
            self._write(self.format(bare))


def _request_id(record: logging.LogRecord) -> str | None:
    return getattr(record, "request_id", None)


def _key(record: logging.LogRecord) -> object:
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit; its writing will say so
        text = str(record.msg)
    text = text[:300]
    if record.levelno >= logging.WARNING:
        text = _NUMBER.sub("#", text)  # a port, an address in memory, a duration
    raised = record.exc_info[1] if record.exc_info else None
    where = None
    if raised is not None and raised.__traceback__ is not None:
        trace = raised.__traceback__
        while trace.tb_next is not None:
            trace = trace.tb_next
        where = (type(raised), trace.tb_lineno)
    return (record.name, record.lineno, record.levelno, text, where)


def _without_traceback(
    record: logging.LogRecord, first_request_id: str | None = None
) -> logging.LogRecord:
    """A copy that holds no frames, and what they hold."""
    copy = logging.makeLogRecord(record.__dict__)
    try:
        copy.msg, copy.args = record.getMessage(), None
    except Exception:  # noqa: BLE001 - arguments that do not fit: told once already
        copy.msg, copy.args = str(record.msg), None
    if copy.exc_info:
        copy.exc_info, copy.exc_text = None, None
        if first_request_id:
            copy.traceback_of = first_request_id
    return copy
