"""What runs beside the requests of a serving process: begun and ended once, in one order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from multiprocessing.util import Finalize
from threading import Event
from typing import Protocol

from app.errors import Unavailable

log = logging.getLogger(__name__)


class Part(Protocol):
    """Work in a thread of its own. ``stop`` may be called without ``start``, and twice."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Turns:
    """One thing that is done again and again in a thread of its own, until it is told to end.

    No failure ends it: Unavailable is said, and a bug of ours logged with its trace. A thread that
    died in silence would serve stale records, keep old keys or lose counts for ever.
    """

    def __init__(
        self,
        name: str,
        turn: Callable[[], None],
        interval: float,
        *,
        pause: Callable[[Event, float], bool] = Event.wait,
        is_due: bool = False,
    ) -> None:
        """``pause`` waits for so many seconds, or until it is told to end; ``is_due``: the first
        turn does not wait."""
        self._name, self._turn, self._interval = name, turn, interval
        self._pause = pause
        self._first = 0.0 if is_due else interval
        self.failures = 0
        self._starting = threading.Lock()
        self._ended = Event()
        self._thread: threading.Thread | None = None

    @property
    def has_begun(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        """Begin; harmless when repeated."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def stop(self, patience: float = 5.0) -> None:
        """End, and wait so many seconds for the turn that is being taken."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(patience)

    def _run(self) -> None:
        seconds = self._first
        while not self._ended.is_set():
            try:
                if not self._pause(self._ended, seconds):
                    self._turn()
            except Unavailable as error:
                self.failures += 1
                log.warning("%s: waits: %s", self._name, error.detail)
            except Exception:
                # A bug of ours; what it is told of is the log, and the next turn may go well.
                self.failures += 1
                log.exception("%s: the turn failed; there will be another", self._name)
                self._ended.wait(self._interval)  # the bug may be in the pause
            seconds = self._interval


class Background:
    """The parts of one process; they end in the order in which they are named."""

    def __init__(self, *parts: Part) -> None:
        self._parts = parts
        self._ends: list[Callable[[], object]] = [part.stop for part in parts]
        self._starting = threading.Lock()
        self._at_exit: Finalize | None = None

    def start(self) -> None:
        """Begin, and end when the process does; harmless when repeated."""
        with self._starting:
            if self._at_exit is None:
                # Not atexit, which a server's worker passes by when it ends.
                self._at_exit = Finalize(None, self.stop, exitpriority=1)
                for part in self._parts:
                    part.start()

    def then(self, end: Callable[[], object]) -> None:
        """Call this too at the end, after all that is known until now."""
        self._ends.append(end)

    def stop(self) -> None:
        """End everything; what fails to end does not keep the rest from it."""
        if self._at_exit is not None:
            self._at_exit.cancel()
        for end in self._ends:
            try:
                end()
            except Exception:
                # Whatever is wrong with it, what comes after has lines of its own to write.
                log.exception("it did not end well: %s", getattr(end, "__qualname__", end))
