"""``python -m benchmarks``: our token endpoint beside its ceilings, in one run and one table."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from app.cli.server import THREADS
from benchmarks.contenders import CEILINGS, OURS, PEERS, Contender, Running, Workbench, ours
from benchmarks.load import MAX_SECONDS, Generator, Measured
from benchmarks.machine import Cores, busy_seconds, interpreter, software, system
from benchmarks.report import table

WARM_UP = 1.0
MAX_EVENTS = 10_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    seconds: float
    rounds: int
    connections: int
    threads: int
    generator: str
    events: int
    against: tuple[Path, ...]


@dataclass(slots=True)
class Rounds:
    """Everything measured of one contender."""

    running: Running
    measured: list[Measured] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """CPU seconds of a request, each round, with what the round left behind."""
    settled: list[float] = field(default_factory=list)
    """Seconds until all of it was done."""
    answered: int = 0
    """Requests, the warming up included."""
    rss_before: int | None = None
    rss_after: int | None = None

    @property
    def rate(self) -> float:
        return median(one.rate for one in self.measured)

    @property
    def cpu_median(self) -> float:
        return median(self.cpu) if self.cpu else float("nan")


def options(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a round (4)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each server (7)")
    parser.add_argument("--quick", action="store_true", help="three rounds of a second")
    parser.add_argument("--connections", type=int, default=32, help="kept alive, each busy (32)")
    parser.add_argument("--threads", type=int, default=THREADS, help=f"of a worker ({THREADS})")
    parser.add_argument("--load", choices=("auto", "wrk", "python"), default="auto")
    parser.add_argument(
        "--events", type=int, default=0, help="in the audit log before it begins (0)"
    )
    parser.add_argument(
        "--against", type=Path, action="append", default=[], metavar="DIR",
        help="measure another checkout beside this one; may be repeated",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    if not 0 < given.seconds <= MAX_SECONDS or not 1 <= given.rounds <= 100:
        parser.error(f"up to {MAX_SECONDS:.0f} seconds and 100 rounds")
    return Options(
        seconds=min(given.seconds, 1.0) if given.quick else given.seconds,
        rounds=min(given.rounds, 3) if given.quick else given.rounds,
        connections=given.connections,
        threads=given.threads,
        generator=given.load,
        events=max(0, min(given.events, MAX_EVENTS)),
        against=tuple(path.resolve() for path in given.against),
    )


def main() -> None:
    chosen = options()
    cores = Cores.found()
    generator = Generator.chosen(chosen.generator, cores.load)
    others = [
        Contender(f"Keyturn of {path.name}", ours(path), is_ours=True) for path in chosen.against
    ]
    print(f"Machine      {system()}; {cores}")
    print(f"Interpreter  {interpreter()}")
    print(f"Packages     {software()}")
    print(
        f"Load         {generator}, {chosen.connections} connections kept alive, closed loop; "
        f"{chosen.rounds} rounds of {chosen.seconds:g} s, interleaved; medians"
    )
    print(
        f"Servers      Granian, 1 worker, {chosen.threads} blocking threads; "
        f"ours on SQLite, {chosen.events:,} events in its audit log\n",
        flush=True,
    )
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keyturn-bench-")))
        bench = Workbench.set_up(directory, chosen.threads)
        stack.callback(bench.installation.close)
        bench.installation.history(chosen.events)
        contenders: list[Rounds] = []
        for contender in (*OURS, *others, *CEILINGS, *PEERS):
            running = Running(contender, bench, cores)
            stack.callback(running.stop)
            if not contenders:
                bench.sample.write_bytes(running.first_answer)
            contenders.append(Rounds(running))
        elsewhere = _measure(contenders, generator, chosen)
        _report(contenders, elsewhere)
        _account(contenders, bench, chosen)


def _measure(contenders: Sequence[Rounds], generator: Generator, chosen: Options) -> float | None:
    """All rounds; answers which share of a core others used meanwhile."""
    for one in contenders:
        _round(one, generator, chosen, min(WARM_UP, chosen.seconds))
        one.rss_before = one.running.tree.worker_rss()
    elsewhere: list[float] = []
    for number in range(chosen.rounds):
        # Every other round backwards: whatever drifts hits the first and the last alike.
        for one in contenders if number % 2 == 0 else reversed(contenders):
            before, begun = busy_seconds(), time.perf_counter()
            measured, cpu = _round(one, generator, chosen, chosen.seconds)
            one.measured.append(measured)
            after, took = busy_seconds(), time.perf_counter() - begun
            if cpu is not None:
                one.cpu.append(cpu / max(1, measured.requests))
                if before is not None and after is not None:
                    known = cpu + measured.busy * measured.seconds
                    elsewhere.append(max(0.0, after - before - known) / took)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for one in contenders:
        one.rss_after = one.running.tree.worker_rss()
        one.running.check()
    return median(elsewhere) if elsewhere else None


def _round(
    one: Rounds, generator: Generator, chosen: Options, seconds: float
) -> tuple[Measured, float | None]:
    """One round, and the server's CPU seconds, until it has done what the round left behind."""
    running = one.running
    before = running.tree.cpu_seconds()
    measured = generator.run(running.port, running.requests, seconds, chosen.connections)
    one.answered += measured.requests
    one.settled.append(running.settle())
    after = running.tree.cpu_seconds()
    return measured, None if before is None or after is None else after - before


def _report(contenders: Sequence[Rounds], elsewhere: float | None) -> None:
    ceilings = [one for one in contenders if one.running.contender.is_ceiling]
    heads = ["", "req/s", "lowest–highest", "p50 ms", "p99 ms", "CPU µs", "lowest", "RSS MB"]
    heads += [f"of {one.running.contender.name}" for one in ceilings]
    print(table(heads, [_line(one, ceilings) for one in contenders]))
    mine = contenders[: len(OURS)]
    first, starts = mine[0], [one.running.started_in for one in mine]
    by_cpu = [f"{one.cpu_median / first.cpu_median:.0%}" for one in ceilings]
    print(f"\nBy CPU time a request, ours reaches {', '.join(by_cpu)} of the ceilings")
    print(
        f"From `flask serve` to the first token: {median(starts):.2f} s (of {len(starts)} starts)"
    )
    print(
        f"Memory of a worker: {_megabytes(first.rss_before)} MB warm, "
        f"{_megabytes(first.rss_after)} MB after {first.answered:,} tokens"
    )
    print(f"Longest answer of ours: {max(one.longest for one in first.measured) * 1e3:.0f} ms")
    print(f"Shipped after a round: {median(first.settled):.1f} s, counted in CPU µs")
    for one in contenders:
        name = one.running.contender.name
        if failed := sum(round.failed for round in one.measured):
            print(f"{name}: {failed} requests failed")
        if (busy := median(round.busy for round in one.measured)) > 0.9:
            print(f"{name}: the generator used {busy:.0%} of its core, so this may be its limit")
    if elsewhere is not None:
        print(f"Noise: other processes used {elsewhere:.0%} of a core meanwhile (median of rounds)")
    if lines := first.running.log().splitlines()[1:]:
        print(f"Our server printed {len(lines)} lines, the last: {lines[-1][:200]}")


def _account(contenders: Sequence[Rounds], bench: Workbench, chosen: Options) -> None:
    """Every token that was answered is in the audit log, or the figures are worth nothing."""
    ours = [one for one in contenders if one.running.contender.is_ours]
    answered = sum(one.answered for one in ours)
    events = bench.installation.tokens_in_log() - chosen.events
    print(f"Audit log: {events:,} events of {answered:,} tokens answered under load")
    if events < answered:
        raise SystemExit(f"benchmarks: {answered - events:,} tokens left no event")


def _line(one: Rounds, ceilings: Sequence[Rounds]) -> list[str]:
    rates = [round.rate for round in one.measured]
    return [
        one.running.contender.name,
        f"{one.rate:,.0f}",
        f"{min(rates):,.0f}–{max(rates):,.0f}",
        f"{median(round.p50 for round in one.measured) * 1e3:.2f}",
        f"{median(round.p99 for round in one.measured) * 1e3:.2f}",
        f"{one.cpu_median * 1e6:.1f}",
        f"{min(one.cpu, default=float('nan')) * 1e6:.1f}",
        _megabytes(one.rss_after),
        # Of the same round each: noise that lasts longer than a round cancels out.
        *(_share(rates, [round.rate for round in ceiling.measured]) for ceiling in ceilings),
    ]


def _share(rates: Sequence[float], of: Sequence[float]) -> str:
    return f"{median(mine / theirs for mine, theirs in zip(rates, of, strict=True)):.0%}"


def _megabytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 1e6:.0f}"


if __name__ == "__main__":
    main()
