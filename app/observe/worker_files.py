"""One worker's numbers, where whoever is asked for the metrics finds them.

These are prometheus-client's multi-process files, written by its own ``MmapedDict`` and read by its
own ``MultiProcessCollector``; only who they belong to is ours. A worker holds a numbered slot under
``flock``. A dead worker's slot is free: its gauges are not shown any more, and the next worker goes
on counting from where it stopped, so that no counter goes backwards and the number of files is that
of the workers, however many have come and gone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.utils import floatToGoString

from app.observe.metrics import Metric
from app.observe.tally import BOUNDS, Durations

MAX_SLOTS = 1024
SIZE = 256 * 1024
"""Bytes of a file: twice what all labels of all metrics can fill, so that none ever grows."""
_LE = tuple(floatToGoString(bound) for bound in (*BOUNDS, float("inf")))


class WorkerFiles:
    """The numbers of this process. Not for several threads at once. Raises OSError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.slot, self._held = _take_slot(directory)
        self._files: dict[str, MmapedDict] = {}
        self._before: dict[str, float] = {}

    def write(self, metric: Metric, labels: tuple[str, ...], value: float) -> None:
        """A counter's total of this process, or a gauge's value."""
        if metric.kind == "gauge":
            key = mmap_key(metric.name, metric.name, metric.label_names, labels, metric.help)
            self._file(f"gauge_{metric.merge}").write_value(key, value, 0.0)
        else:
            family = metric.name.removesuffix("_total")
            key = mmap_key(family, metric.name, metric.label_names, labels, metric.help)
            self._add("counter", key, value)

    def write_durations(self, metric: Metric, labels: tuple[str, ...], value: Durations) -> None:
        """A histogram's total of this process."""
        name, names, text = metric.name, metric.label_names, metric.help
        self._add("histogram", mmap_key(name, name + "_sum", names, labels, text), value.total)
        for bound, count in zip(_LE, value.buckets, strict=True):
            key = mmap_key(name, name + "_bucket", (*names, "le"), (*labels, bound), text)
            self._add("histogram", key, count)

    def close(self) -> None:
        """Let go of the slot; what was counted stays."""
        for file in self._files.values():
            file.close()
        os.close(self._held)

    def _add(self, kind: str, key: str, value: float) -> None:
        file = self._file(kind)
        before = self._before.get(key)
        if before is None:
            # What the slot's last holder had counted; nothing, in a fresh file.
            before = self._before[key] = file.read_value(key)[0]
        file.write_value(key, before + value, 0.0)

    def _file(self, kind: str) -> MmapedDict:
        file = self._files.get(kind)
        if file is None:
            path = self._directory / f"{kind}_{self.slot}.db"
            draft = self._directory / f".{kind}_{self.slot}"
            if path.exists():
                file = MmapedDict(str(path))
            else:
                # Complete before it has the name that others look for.
                draft.unlink(missing_ok=True)
                _allocate(draft)
                file = MmapedDict(str(draft))
                draft.rename(path)
            self._files[kind] = file
        return file


def forget_the_dead(directory: Path) -> None:
    """Remove the gauges of workers that are no more."""
    for slot in _free_slots(directory):
        for path in directory.glob(f"gauge_*_{slot}.db"):
            path.unlink(missing_ok=True)


def clean(directory: Path) -> None:
    """Remove all that nobody holds: what is counted begins anew with a start of the server.

    Raises OSError, also where there can be no such directory.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for slot in _free_slots(directory):
        for path in (*directory.glob(f"*_{slot}.db"), *directory.glob(f".*_{slot}")):
            path.unlink(missing_ok=True)


def _take_slot(directory: Path) -> tuple[int, int]:
    for slot in range(MAX_SLOTS):
        descriptor = os.open(
            _lock_of(directory, slot), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        if _locked(descriptor):
            # A gauge that this process does not know would be shown in its name.
            for path in directory.glob(f"gauge_*_{slot}.db"):
                path.unlink(missing_ok=True)
            return slot, descriptor
        os.close(descriptor)
    raise OSError(f"{MAX_SLOTS} workers have their metrics in {directory} already")


def _free_slots(directory: Path) -> Iterator[int]:
    """The slots that nobody holds; each is held while the loop looks at it."""
    for path in sorted(directory.glob("slot_*.lock")):
        with suppress(FileNotFoundError), _opened(path) as descriptor:
            if _locked(descriptor):
                yield int(path.stem.removeprefix("slot_"))


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _allocate(path: Path) -> None:
    """Take the room now: on a full disk a write into a mapped hole would kill the process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, SIZE)
    finally:
        os.close(descriptor)


def _lock_of(directory: Path, slot: int) -> Path:
    return directory / f"slot_{slot}.lock"
