"""``python -m benchmarks``: Keyturn over sockets, beside ceilings and other people's servers."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app.cli.server import THREADS
from benchmarks import peers
from benchmarks.load import MAX_SECONDS, Generator
from benchmarks.machine import Cores, interpreter, software, system
from benchmarks.rounds import Plan
from benchmarks.sections import MANY, SECTIONS, Extent

MAX_EVENTS = MAX_CLIENTS = 10_000_000


def options(arguments: Sequence[str] | None = None) -> tuple[Sequence[str], Plan, Extent]:
    """What the command line says: which sections, how long, of what."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)} (all)"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a round (2)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each server (5)")
    parser.add_argument("--quick", action="store_true", help="three rounds of a second")
    parser.add_argument("--connections", type=int, default=32, help="kept alive, each busy (32)")
    parser.add_argument("--threads", type=int, default=THREADS, help=f"of a worker ({THREADS})")
    parser.add_argument("--load", choices=("auto", "wrk", "python"), default="auto")
    parser.add_argument(
        "--events", type=int, default=0, help="tokens: in the audit log before it begins (0)"
    )
    parser.add_argument(
        "--clients", type=int, default=MANY, help=f"clients: that are many ({MANY})"
    )
    parser.add_argument(
        "--against", type=Path, action="append", default=[], metavar="DIR",
        help="tokens: measure another checkout beside this one; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME",
        help="tokens: those alone whose names hold this, and nobody else is there; may be repeated",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    if not 0 < given.seconds <= MAX_SECONDS or not 1 <= given.rounds <= 100:
        parser.error(f"up to {MAX_SECONDS:.0f} seconds and 100 rounds")
    plan = Plan(
        generator=Generator.chosen(given.load),
        seconds=min(given.seconds, 1.0) if given.quick else given.seconds,
        rounds=min(given.rounds, 3) if given.quick else given.rounds,
        connections=given.connections,
        threads=given.threads,
    )
    extent = Extent(
        events=max(0, min(given.events, MAX_EVENTS)),
        clients=max(1, min(given.clients, MAX_CLIENTS)),
        against=tuple(path.resolve() for path in given.against),
        only=tuple(given.only),
    )
    return given.sections or list(SECTIONS), plan, extent


def main() -> None:
    sections, plan, extent = options()
    print(f"Machine      {system()}; {Cores.apart()}")
    print(f"Interpreter  {interpreter()}")
    print(f"Packages     {software()}")
    print(f"Peers        {peers.versions()}")
    print(
        f"Load         {plan.generator}, {plan.connections} connections kept alive, closed loop; "
        f"{plan.rounds} rounds of {plan.seconds:g} s, interleaved; medians"
    )
    print(
        f"Servers      Granian, 1 worker, {plan.threads} blocking threads; "
        f"ours on SQLite, {extent.events:,} events in its audit log"
    )
    for name in sections:
        section = SECTIONS[name]
        print(f"\n{section.__doc__}\n", flush=True)
        with tempfile.TemporaryDirectory(prefix="keyturn-bench-") as directory:
            section(Path(directory), plan, extent)


if __name__ == "__main__":
    main()
