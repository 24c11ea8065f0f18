"""Rounds of load against several servers in turn, and their table."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median

from benchmarks.contenders import Contender, Workbench
from benchmarks.load import Generator, Measured
from benchmarks.machine import busy_seconds
from benchmarks.report import table
from benchmarks.running import Running

WARM_UP = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to look, and how."""

    generator: Generator
    seconds: float
    """Of one round."""
    rounds: int
    connections: int
    threads: int
    """Blocking threads of a worker."""


@dataclass(slots=True)
class Rounds:
    """Everything measured of one contender."""

    running: Running
    measured: list[Measured] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """CPU seconds of a request, each round, with what the round left behind."""
    settled: list[float] = field(default_factory=list)
    """Seconds until all of it was done."""
    elsewhere: list[float] = field(default_factory=list)
    """Share of a core that others used meanwhile."""
    answered: int = 0
    """Requests, the warming up included."""
    rss_before: int | None = None
    rss_after: int | None = None

    @property
    def contender(self) -> Contender:
        return self.running.contender

    @property
    def rate(self) -> float:
        return median(one.rate for one in self.measured)

    @property
    def cpu_median(self) -> float:
        return median(self.cpu) if self.cpu else float("nan")

    def share_of(self, other: Rounds) -> float:
        """Of its rate, in the same round each: noise that lasts longer than a round cancels out."""
        pairs = zip(self.measured, other.measured, strict=True)
        return median(mine.rate / its.rate for mine, its in pairs)


@contextmanager
def measured(
    contenders: Sequence[Contender], bench: Workbench, plan: Plan
) -> Iterator[list[Rounds]]:
    """All rounds of all of them; they run until the block ends."""
    with ExitStack() as stack:
        found: list[Rounds] = []
        for contender in contenders:
            running = Running(contender, bench)
            stack.callback(running.stop)
            if not found:
                bench.sample.write_bytes(running.first_answer)
            found.append(Rounds(running))
        for one in found:
            _warm(one, plan)
        for number in range(plan.rounds):
            # Every other round backwards: whatever drifts hits the first and the last alike.
            for one in found if number % 2 == 0 else reversed(found):
                _round(one, plan)
                print(".", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        for one in found:
            one.rss_after = one.running.tree.worker_rss()
            one.running.check()
        yield found


def _warm(one: Rounds, plan: Plan) -> None:
    while not one.answered or one.answered < one.contender.asked_first:
        _load(one, plan, min(WARM_UP, plan.seconds))
    one.rss_before = one.running.tree.worker_rss()


def _round(one: Rounds, plan: Plan) -> None:
    busy, begun = busy_seconds(), time.perf_counter()
    loaded, cpu = _load(one, plan, plan.seconds)
    busy_after, took = busy_seconds(), time.perf_counter() - begun
    one.measured.append(loaded)
    if cpu is None:
        return
    one.cpu.append(cpu / max(1, loaded.requests))
    if busy is not None and busy_after is not None:
        known = cpu + loaded.busy * loaded.seconds
        one.elsewhere.append(max(0.0, busy_after - busy - known) / took)


def _load(one: Rounds, plan: Plan, seconds: float) -> tuple[Measured, float | None]:
    """One round, and the server's CPU seconds, until it has done what the round left behind."""
    running = one.running
    before = running.tree.cpu_seconds()
    loaded = plan.generator.run(
        running.port, running.requests, seconds, plan.connections,
        # Where the last round ended: what is asked for once is asked for once.
        first=one.answered, cores=one.contender.cores,
    )  # fmt: skip
    one.answered += loaded.requests
    one.settled.append(running.settle())
    after = running.tree.cpu_seconds()
    return loaded, None if before is None or after is None else after - before


def show(found: Sequence[Rounds], of: Sequence[Rounds] = ()) -> None:
    """The table, with shares of some lines, and what is to be known of the rounds."""
    heads = ["", "req/s", "lowest–highest", "p50 ms", "p99 ms", "CPU µs", "lowest"]
    heads += ["RSS MB", "start s", *(_head(one) for one in of)]
    print(
        table(heads, [[*_line(one), *(f"{one.share_of(its):.0%}" for its in of)] for one in found])
    )
    for one in found:
        name = one.contender.name
        if failed := sum(each.failed for each in one.measured):
            print(f"{name}: {failed} requests failed")
        if (busy := median(each.busy for each in one.measured)) > 0.9:
            print(f"{name}: the generator used {busy:.0%} of its core, so this may be its limit")
    if elsewhere := [share for one in found for share in one.elsewhere]:
        print(f"Noise: other processes used {median(elsewhere):.0%} of a core (median of rounds)")


def _head(of: Rounds) -> str:
    return f"of {of.contender.name}" if of.contender.is_ceiling else "share"


def _line(one: Rounds) -> list[str]:
    rates = [each.rate for each in one.measured]
    return [
        one.contender.name,
        f"{one.rate:,.0f}",
        f"{min(rates):,.0f}–{max(rates):,.0f}",
        f"{median(each.p50 for each in one.measured) * 1e3:.2f}",
        f"{median(each.p99 for each in one.measured) * 1e3:.2f}",
        f"{one.cpu_median * 1e6:.1f}",
        f"{min(one.cpu, default=float('nan')) * 1e6:.1f}",
        megabytes(one.rss_after),
        f"{one.running.started_in:.1f}",
    ]


def megabytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 1e6:.0f}"


def account(found: Sequence[Rounds], bench: Workbench, before: int) -> None:
    """Every token that was answered is in the audit log, or the figures are worth nothing.

    ``before``: how many were there when it began. Raises SystemExit.
    """
    answered = sum(one.answered for one in found if one.contender.is_ours)
    events = bench.installation.tokens_in_log() - before
    print(f"Audit log: {events:,} events of {answered:,} tokens answered under load")
    if events < answered:
        raise SystemExit(f"benchmarks: {answered - events:,} tokens left no event")
