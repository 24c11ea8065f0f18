"""Something for each event loop: what belongs to one loop is of no use in another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from keyturn.forks import survives_forks

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Makes it when a loop asks for the first time, and forgets it once that loop is closed."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self.forked()
        survives_forks(self)

    def forked(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[asyncio.AbstractEventLoop, T] = {}

    def here(self) -> T:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        found = self._made.get(loop)
        if found is None:
            with self._lock:
                # Replaced, not changed: other loops are reading it.
                kept = {one: made for one, made in self._made.items() if not one.is_closed()}
                found = kept[loop] = self._make()
                self._made = kept
        return found

    def pop(self) -> T | None:
        """That of the running loop, which has it no longer; None where there is none."""
        with self._lock:
            kept = dict(self._made)
            found = kept.pop(asyncio.get_running_loop(), None)
            self._made = kept
        return found
