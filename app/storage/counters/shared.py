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
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from app.errors import Unavailable
from app.ports import Count

BUCKET = 8
BUCKETS = 1 << 13
CELLS = 2 * BUCKET
"""Of a bucket: for each counter its name, and its count above the end of its window in seconds
since the epoch, 32 bits each. A cell is 64 bits."""
SIZE = 8 * CELLS * BUCKETS  # one mebibyte, 65,536 counters
STRIPES = 64 if hasattr(fcntl, "F_OFD_SETLKW") else 1
LARGEST = 0xFFFFFFFF
_NAMED = 1 << 63
"""In every name: none is zero, as a place is that was never used."""


class SharedCounter:
    """A ``Counter`` between the processes that map one file."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path = path
        self._now = now
        self._locks = [threading.Lock() for _ in range(STRIPES)]
        self._opening = threading.Lock()
        self._opened: tuple[int, memoryview] | None = None

    def hit(self, name: str, window: int, cost: int = 1) -> Count:
        """Add ``cost`` in the present window of so many seconds. Raises Unavailable."""
        now = int(self._now())
        ends = now - now % window + window
        identity, first, stripe = _place(name, window)
        file, table = self._opened or self._open()
        # Two locks: that of the file keeps other processes out, but not other threads of this one.
        with self._locks[stripe]:
            _lock(file, fcntl.LOCK_EX, stripe)
            try:
                return _add(table, first, identity, ends, now, cost)
            finally:
                _lock(file, fcntl.LOCK_UN, stripe)

    def _open(self) -> tuple[int, memoryview]:
        with self._opening:
            if self._opened is None:
                try:
                    self._opened = _mapped(self._path)
                except OSError as error:
                    raise Unavailable(detail=f"counters: {error}") from error
            return self._opened


def _mapped(path: Path) -> tuple[int, memoryview]:
    """The file, and its cells. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(file).st_size != SIZE:
            os.ftruncate(file, SIZE)  # several at once do the same
        return file, memoryview(mmap.mmap(file, SIZE)).cast("Q")
    except OSError:  # and the next request tries it again
        os.close(file)
        raise


_ON_STRIPES = {
    # Linux's `struct flock`: kind, whence, start, length, process.
    operation: [struct.pack("hhqqi", kind, os.SEEK_SET, stripe, 1, 0) for stripe in range(STRIPES)]
    for operation, kind in ((fcntl.LOCK_EX, fcntl.F_WRLCK), (fcntl.LOCK_UN, fcntl.F_UNLCK))
}


def _lock(file: int, operation: int, stripe: int) -> None:
    """Take or leave a stripe of the file.

    By locks of the open file, not of the process (`lockf`): two threads of a process wait for two
    stripes at once, which the kernel, who counts by processes, now and then takes for a deadlock.
    Where there are none, the whole file is one stripe.
    """
    if STRIPES > 1:
        fcntl.fcntl(file, fcntl.F_OFD_SETLKW, _ON_STRIPES[operation][stripe])
    else:
        fcntl.flock(file, operation)


@lru_cache(maxsize=8192)
def _place(name: str, window: int) -> tuple[int, int, int]:
    """What it is called in the table, where its bucket begins, and under which lock."""
    digest = blake2b(f"{window}:{name}".encode(), digest_size=16).digest()
    number = int.from_bytes(digest[8:], "little") % BUCKETS
    return int.from_bytes(digest[:8], "little") | _NAMED, number * CELLS, number % STRIPES


def _add(table: memoryview, first: int, name: int, ends: int, now: int, cost: int) -> Count:
    places = range(first, first + CELLS, 2)
    total = cost
    for place in places:
        if table[place] == name:
            ends_then = table[place + 1] & LARGEST
            # One that ends after the window now begun is of a clock that was set back since.
            if now < ends_then <= ends:
                total += table[place + 1] >> 32
                ends = ends_then
            break
    else:
        place = min(places, key=lambda place: table[place + 1] & LARGEST)
    total = max(0, min(total, LARGEST))
    table[place + 1] = total << 32 | ends
    table[place] = name
    return Count(total, ends)
