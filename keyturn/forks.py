"""What a forked process must not take over: locks that others held, threads, connections."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Something with locks, threads or connections of its own."""

    def forked(self) -> None:
        """Begin anew: this is the child, and it has one thread."""


_living: weakref.WeakSet[Forkable] = weakref.WeakSet()


def survives_forks(one: Forkable) -> None:
    """Let `one.forked()` be called in every process that is forked while it lives."""
    _living.add(one)


def _after_fork() -> None:
    for one in list(_living):
        one.forked()


os.register_at_fork(after_in_child=_after_fork)
