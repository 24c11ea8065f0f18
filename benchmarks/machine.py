"""The machine: its cores, its interpreter, and what others do on it meanwhile."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PROC = Path("/proc")
_LOOP = 200_000


@dataclass(frozen=True, slots=True)
class Cores:
    """Where a server runs and where the load does; nowhere in particular where none is named."""

    server: frozenset[int]
    load: frozenset[int]
    is_load_nice: bool = False
    """Whether the load gives way to the server: only sensible where they share cores."""

    @classmethod
    def apart(cls) -> Cores:
        """The first two cores that we may use, one for each; the only one where there is one."""
        usable = _usable()
        return cls(frozenset(usable[:1]), frozenset(usable[1:2] or usable[:1]))

    @classmethod
    def shared(cls, count: int) -> Cores:
        """So many cores for both: load costs every server the same share of what it has."""
        cores = frozenset(_usable()[:count])
        return cls(cores, cores, is_load_nice=True)

    def __str__(self) -> str:
        if not self.server:
            return "server and load are not pinned: this system cannot"
        if self.server == self.load:
            return "server and load share the one core there is: figures are far too low"
        return f"server pinned to core {min(self.server)}, load to core {min(self.load)}"


def _usable() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """Run here, and begin processes that run here, on these cores."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def interpreter() -> str:
    """The interpreter and how it was built: profile-guided builds are 16 to 19 % faster."""
    build = sysconfig.get_config_vars()
    if "--enable-optimizations" in str(build.get("CONFIG_ARGS", "")):
        how = "built with PGO (--enable-optimizations)"
    elif build.get("PGO_PROF_USE_FLAG"):
        how = "built without PGO (no --enable-optimizations)"
    else:
        # Debian builds with PGO by hand, and takes every trace of it out of these variables.
        how = "whether built with PGO is not recorded (Debian's is)"
    name = platform.python_implementation()
    return f"{name} {platform.python_version()}, {how}; {_pure_python():.1f} ns a loop step"


def _pure_python() -> float:
    """A yardstick for comparing interpreters: nanoseconds for a step of a plain loop."""
    best = float("inf")
    for _ in range(9):
        begun, total = time.perf_counter_ns(), 0
        for number in range(_LOOP):
            total += number & 7
        best = min(best, (time.perf_counter_ns() - begun) / _LOOP)
    return best


def software() -> str:
    """The packages whose speed this measures."""
    names = ("granian", "cryptography", "PyJWT", "Authlib", "orjson", "Flask")
    return ", ".join(f"{name} {version(name)}" for name in names)


def system() -> str:
    """The machine in general terms: nothing that names it."""
    return f"{sys.platform} {platform.machine()}, {os.cpu_count()} cores, {_processor()}"


def _processor() -> str:
    try:
        lines = (_PROC / "cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "processor unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "processor unknown"


def busy_seconds() -> float | None:
    """CPU seconds spent by all processes and the kernel since the start, time stolen included.

    None where ``/proc`` does not tell.
    """
    try:
        fields = (_PROC / "stat").read_text().splitlines()[0].split()
    except OSError:
        return None
    user, nice, kernel, _idle, _waiting, interrupts, soft, stolen = map(int, fields[1:9])
    return (user + nice + kernel + interrupts + soft + stolen) / TICKS


@dataclass(frozen=True, slots=True)
class Tree:
    """A process and all that it has begun."""

    pid: int

    def cpu_seconds(self) -> float | None:
        """User and system time so far, of children that have ended too."""
        total = 0
        for pid in self._members():
            try:
                fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            total += sum(map(int, fields[11:15]))
        return total / TICKS if total else None

    def worker_rss(self) -> int | None:
        """Resident bytes of the largest process: the worker. Shared pages are counted in full."""
        sizes = []
        for pid in self._members():
            try:
                status = (_PROC / str(pid) / "status").read_text()
            except OSError:
                continue
            sizes += [
                int(line.split()[1]) * 1024
                for line in status.splitlines()
                if line.startswith("VmRSS:")
            ]
        return max(sizes, default=None)

    def _members(self) -> list[int]:
        found, unseen = [], [self.pid]
        while unseen:
            pid = unseen.pop()
            found.append(pid)
            for children in (_PROC / str(pid) / "task").glob("*/children"):
                try:
                    unseen += map(int, children.read_text().split())
                except OSError:
                    continue
        return found
