"""A bounded map of what was read lately."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps at least ``size // 2`` and at most ``size`` entries, the lately used ones.

    Two generations instead of a linked list: a hit is one dictionary read and takes no lock.
    When the young generation is full it becomes the old one, and the old one is dropped;
    whatever is read from the old one moves to the young.
    """

    __slots__ = ("_half", "_lock", "_old", "_young")

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
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
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def drop(self, key: K) -> None:
        with self._lock:
            self._old.pop(key, None)
            self._young.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._old, self._young = {}, {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
