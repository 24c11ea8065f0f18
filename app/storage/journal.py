"""The journal: token events as lines of a local file, written before the answer leaves.

One ``write()`` of a line costs about a microsecond and survives the death of the process. Where it
shall survive the death of the machine too, the answer waits for ``fdatasync``: one for all lines
that were written while the one before it ran (group commit).

Each process appends to a segment of its own, which it holds under ``flock``; whoever can lock a
segment may ship it (``app.storage.shipping``), so a dead worker's lines are never lost.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path

from app.errors import Unavailable

log = logging.getLogger(__name__)

_fdatasync = getattr(os, "fdatasync", os.fsync)  # not on macOS

SUFFIX = ".jsonl"
PROBE = bytes(8192)
"""More than a file system may keep beside a file's name: it needs a block."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A locked segment that nobody appends to any more."""

    path: Path
    lines: tuple[bytes, ...]
    """Whole lines; a last one that was cut off by a crash is the caller's to set aside."""

    def remove(self) -> None:
        """Let go of it once the database has it."""
        self.path.unlink(missing_ok=True)


class Journal:
    """An ``EventSink``: appends lines, and hands out finished segments."""

    def __init__(self, directory: str, limit: int, *, is_synced: bool = False) -> None:
        self._directory = Path(directory)
        self._limit = limit
        self._is_synced = is_synced
        self._syncing = threading.Lock()
        """Taken before ``_lock``, by whoever syncs or ends a segment."""
        self._on_disk = 0
        self._lost = 0
        self._lock = threading.Lock()
        self._written = 0
        """Bytes of all segments so far: where a line ends in what this process has written."""
        self._descriptor: int | None = None
        self._path: Path | None = None
        self._size = 0
        self._waiting = 0
        self._opened = 0

    def append(self, line: bytes) -> None:
        """Write one line. Raises Unavailable when it cannot be kept: then nothing is issued."""
        with self._lock:
            descriptor = self._descriptor
            if descriptor is None:
                descriptor = self._open()
            if self._size + self._waiting > self._limit:
                raise Unavailable(detail="journal: full; is the database away?", retry_after=30)
            try:
                written = os.write(descriptor, line)
                if written != len(line):
                    os.ftruncate(descriptor, self._size)
                    raise OSError(f"{written} of {len(line)} bytes")
            except OSError as error:
                raise Unavailable(detail=f"journal: {error}", retry_after=30) from error
            self._size += written
            self._written += written
            end = self._written
        if self._is_synced:
            self._reach_disk(end)

    def seal(self) -> None:
        """End the present segment, so that it can be shipped; the next line begins a new one."""
        with self._syncing, self._lock:
            if self._descriptor is not None and self._size:
                self._close()

    def close(self) -> None:
        """End the present segment for good; an empty one leaves no file."""
        with self._syncing, self._lock:
            if self._descriptor is not None:
                if not self._size and self._path is not None:
                    self._path.unlink(missing_ok=True)
                self._close()

    def segments(self) -> dict[Path, float]:
        """What waits for the database, of all processes: each segment with a line in it, and
        when it was begun, in seconds since the epoch."""
        found = {}
        for path in self._directory.glob("*" + SUFFIX):
            with suppress(FileNotFoundError):  # shipped by another worker
                if path.stat().st_size:
                    found[path] = _begun(path)
        return found

    def depth(self) -> int:
        """Bytes that wait for the database, of all processes; also what the limit counts."""
        total = 0
        for path in self._directory.glob("*" + SUFFIX):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue  # shipped by another worker
        self._waiting = max(0, total - self._size)
        return total

    def age(self) -> float:
        """Seconds since the oldest segment that waits was begun; 0: nothing waits."""
        begun = min(self.segments().values(), default=None)
        return 0.0 if begun is None else max(0.0, time.time() - begun)

    def is_full(self) -> bool:
        """Whether the next line would be refused."""
        return self.depth() > self._limit

    def is_writable(self) -> bool:
        """Whether a segment could be begun and filled; tried, because rights do not tell of a
        full or failing disk."""
        path = self._directory / f".probe-{os.getpid()}-{threading.get_ident()}"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                return os.write(descriptor, PROBE) == len(PROBE)
            finally:
                os.close(descriptor)
                path.unlink(missing_ok=True)
        except OSError:
            return False

    def finished(self, older_than: float = 0.0) -> Iterator[Segment]:
        """The segments nobody appends to, begun so many seconds ago; each is locked while the loop
        looks at it."""
        youngest = time.time() - older_than if older_than else inf
        for path in sorted(self._directory.glob("*" + SUFFIX)):
            if path == self._path or _begun(path) > youngest:
                continue
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            with os.fdopen(descriptor, "rb") as file:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # somebody appends to it, or ships it
                if path.exists():
                    yield Segment(path, tuple(file))

    def _open(self) -> int:
        name = f"{time.time_ns()}-{os.getpid()}-{self._opened}"
        self._opened += 1
        draft, path = self._directory / f".{name}", self._directory / (name + SUFFIX)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(
                draft, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
            # Locked before it has the name that others look for: nobody ships it half written.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            draft.rename(path)
            if self._is_synced:
                _sync_directory(self._directory)
        except OSError as error:
            raise Unavailable(detail=f"journal: {error}", retry_after=30) from error
        self._descriptor, self._path, self._size = descriptor, path, 0
        return descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            if self._is_synced:
                self._sync(self._descriptor, self._written)
            os.close(self._descriptor)
        self._descriptor, self._path, self._size = None, None, 0

    def _reach_disk(self, end: int) -> None:
        """Whoever is first syncs for all that have written meanwhile; they find it done."""
        with self._syncing:
            if end > self._on_disk:
                with self._lock:
                    descriptor, written = self._descriptor, self._written
                if descriptor is not None:  # else it was synced when its segment ended
                    self._sync(descriptor, written)
            if end <= self._lost:
                raise Unavailable(detail="journal: not on the disk", retry_after=30)

    def _sync(self, descriptor: int, written: int) -> None:
        try:
            _fdatasync(descriptor)
        except OSError as error:
            # The kernel says so once, and drops the pages: asking again would look like success.
            log.error("the journal did not reach the disk: %s", error)
            self._lost = written
        self._on_disk = written


def _begun(segment: Path) -> float:
    """Seconds since the epoch."""
    return int(segment.name.split("-", 1)[0]) / 1e9


def _sync_directory(directory: Path) -> None:
    """A new file is on the disk when its name is."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
