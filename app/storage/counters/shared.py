"""Counters in a memory-mapped file: shared by the workers of one node, two microseconds a hit.

A table of fixed size, open addressing within one bucket. When a bucket is full of live counters
the one that ends first gives way: memory stays bounded, and whoever floods the table with names
can at most shorten a window, never stop the server.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from app.errors import Unavailable
from app.ports import Count

SLOT = struct.Struct("<QII")  # name, end of the window in seconds since the epoch, count
BUCKET = 8
BUCKETS = 1 << 13
SIZE = SLOT.size * BUCKET * BUCKETS  # one mebibyte, 65,536 counters
STRIPES = 64
LARGEST = 0xFFFFFFFF


class SharedCounter:
    """A ``Counter`` between the processes that map one file."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path = path
        self._now = now
        self._locks = [threading.Lock() for _ in range(STRIPES)]
        self._opening = threading.Lock()
        self._file: int | None = None
        self._table: mmap.mmap | None = None

    def hit(self, name: str, window: int, cost: int = 1) -> Count:
        """Add ``cost`` in the present window of so many seconds. Raises Unavailable."""
        now = int(self._now())
        ends = now - now % window + window
        place = blake2b(f"{window}:{name}".encode(), digest_size=16).digest()
        identity, bucket = int.from_bytes(place[:8], "little") or 1, place[8:]
        number = int.from_bytes(bucket, "little") % BUCKETS
        file, table = self._opened()
        stripe = number % STRIPES
        # Two locks: `lockf` keeps other processes out, but not other threads of this one.
        with self._locks[stripe]:
            fcntl.lockf(file, fcntl.LOCK_EX, 1, stripe)
            try:
                return self._add(table, number, identity, ends, now, cost)
            finally:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, stripe)

    def _add(
        self, table: mmap.mmap, number: int, identity: int, ends: int, now: int, cost: int
    ) -> Count:
        first = number * BUCKET * SLOT.size
        free, free_ends = first, LARGEST
        for offset in range(first, first + BUCKET * SLOT.size, SLOT.size):
            found, found_ends, count = SLOT.unpack_from(table, offset)
            # One that ends after the window now begun is of a clock that was set back since.
            if found == identity and now < found_ends <= ends:
                total = max(0, min(count + cost, LARGEST))
                SLOT.pack_into(table, offset, identity, found_ends, total)
                return Count(total, found_ends)
            if found_ends < free_ends:
                free, free_ends = offset, found_ends
        total = max(0, min(cost, LARGEST))
        SLOT.pack_into(table, free, identity, ends, total)
        return Count(total, ends)

    def _opened(self) -> tuple[int, mmap.mmap]:
        with self._opening:
            if self._file is None or self._table is None:
                try:
                    self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                    if os.fstat(self._file).st_size != SIZE:
                        os.ftruncate(self._file, SIZE)  # several at once do the same
                    self._table = mmap.mmap(self._file, SIZE)
                except OSError as error:
                    raise Unavailable(detail=f"counters: {error}") from error
            return self._file, self._table
