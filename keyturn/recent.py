"""A bounded map of what was used lately."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from keyturn.forks import survives_forks

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps the lately used ones of at most ``size`` entries that weigh at most ``weight``.

    Two generations instead of a linked list: a hit is one dictionary read and takes no lock.
    When the young generation is full it becomes the old one, and the old one is dropped;
    whatever is read from the old one moves to the young. So at least half of what fits is kept.
    """

    __slots__ = (
        "__weakref__", "_half", "_half_weight", "_lock", "_old", "_weigh", "_weight", "_young"
    )  # fmt: skip

    def __init__(
        self, size: int, weight: int = 0, weigh: Callable[[V], int] = lambda value: 0
    ) -> None:
        """``weight`` is in the unit of ``weigh``, bytes for instance."""
        self._half = max(1, size // 2)
        self._half_weight = weight // 2
        self._weigh = weigh
        self._weight = 0
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self.forked()
        survives_forks(self)

    def forked(self) -> None:
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        return self._young.get(key) or self._promote(key)

    def _promote(self, key: K) -> V | None:
        with self._lock:  # or a drop in between would be undone
            value = self._old.pop(key, None)
            if value is None:
                return self._young.get(key)  # another has moved it meanwhile
            self._put(key, value)
            return value

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._put(key, value)

    def _put(self, key: K, value: V) -> None:
        if len(self._young) >= self._half or self._weight > self._half_weight:
            self._old, self._young, self._weight = self._young, {}, 0
        self._young[key] = value
        self._weight += self._weigh(value)

    def drop(self, key: K) -> None:
        with self._lock:
            self._old.pop(key, None)
            self._young.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._old, self._young, self._weight = {}, {}, 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
