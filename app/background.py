"""What runs beside the requests of a serving process: begun and ended once, in one order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from multiprocessing.util import Finalize
from typing import Protocol

log = logging.getLogger(__name__)


class Part(Protocol):
    """Work in a thread of its own. ``stop`` may be called without ``start``, and twice."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


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
