"""What is measured: each section is a table of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from app.builtin import INTROSPECT
from benchmarks import peers
from benchmarks import revocation as verifiers
from benchmarks import verification as verifying
from benchmarks.contenders import (
    CEILINGS,
    OURS,
    TOKEN,
    Contender,
    Served,
    Workbench,
    ceiling,
    flask_serve,
    ours,
)
from benchmarks.installation import INTROSPECT_PATH, LIMITED, Installation
from benchmarks.load import post
from benchmarks.machine import Cores, pinned
from benchmarks.rounds import Plan, Rounds, account, measured, megabytes, show
from benchmarks.timing import Effort

FEW, MANY, ACTIVE, REMEMBERED = 1_000, 1_000_000, 20_000, 50_000
"""Clients: registered, registered, that ask where all are remembered, that a worker remembers."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What is said of the installations on the command line."""

    events: int
    """In the audit log before it begins."""
    clients: int
    """That are many."""
    against: tuple[Path, ...]
    """Other checkouts of ours."""
    only: tuple[str, ...] = ()
    """Parts of the names of those who are to be measured; none: all."""


def tokens(directory: Path, plan: Plan, extent: Extent) -> None:
    """The token endpoint beside its ceilings and other people's servers."""
    bench = Workbench.set_up(directory, plan.threads)
    bench.installation.history(extent.events)
    others = [
        Contender(f"Keyturn of {path.name}", ours(path), is_ours=True) for path in extent.against
    ]
    before = bench.installation.tokens_in_log()
    strangers = peers.present()
    everybody = (*OURS, *others, *CEILINGS, *strangers)
    with measured(_named(everybody, extent.only), bench, plan) as found:
        ceilings = [one for one in found if one.contender.is_ceiling]
        show(found, of=ceilings)
        if not extent.only:
            _conclude(*found[: len(OURS)], ceilings, found[-len(strangers) :])
    account(found, bench, before)
    bench.installation.close()


def _conclude(
    first: Rounds, installed: Rounds, ceilings: Sequence[Rounds], strangers: Sequence[Rounds]
) -> None:
    """What the table comes to, beside everybody."""
    by_cpu = [f"{one.cpu_median / first.cpu_median:.0%}" for one in ceilings]
    print(f"By CPU time a request, everything on reaches {', '.join(by_cpu)} of the ceilings")
    for its in strangers:
        _compare(first, installed, its)
    if missing := peers.missing():
        print(missing)
    print(
        f"Memory of our worker: {megabytes(first.rss_before)} MB warm, "
        f"{megabytes(first.rss_after)} MB after {first.answered:,} tokens"
    )
    print(f"Longest answer of ours: {max(one.longest for one in first.measured) * 1e3:.0f} ms")
    print(f"Shipped after a round: {median(first.settled):.1f} s, counted in CPU µs")
    if lines := first.running.log().splitlines()[1:]:
        print(f"Our server printed {len(lines)} lines, the last: {lines[-1][:200]}")


def _named(contenders: Sequence[Contender], parts: Sequence[str]) -> Sequence[Contender]:
    named = [one for one in contenders if any(part in one.name for part in parts or ("",))]
    if not named:
        raise SystemExit(f"nobody is called {' or '.join(parts)}")
    return named


def _compare(everything: Rounds, installed: Rounds, its: Rounds) -> None:
    rates = " and ".join(f"{one.share_of(its):.1f}" for one in (everything, installed))
    cpu = " and ".join(f"{its.cpu_median / one.cpu_median:.1f}" for one in (everything, installed))
    name = its.contender.name.removeprefix("– ")
    print(f"Everything on and as installed are {rates} × {name}; {cpu} × by CPU time a request")


def workers(directory: Path, plan: Plan, extent: Extent) -> None:
    """Two workers on two cores, and one on one; the load has to live on the same cores.

    Beside it what a signature alone makes of the second core: cores may share what they compute by.
    """
    bench = Workbench.set_up(directory, plan.threads)
    before = bench.installation.tokens_in_log()
    one, two = Cores.shared(1), Cores.shared(2)
    contenders = [
        Contender("One core, one worker alone", ours(), is_ours=True),
        Contender("One core, one worker and load", ours(), is_ours=True, cores=one),
        Contender("Two cores, two workers and load", ours(workers=2), is_ours=True, cores=two),
        Contender("One signature: one core", ceiling("signed"), cores=one),
        Contender("One signature: two cores", ceiling("signed", workers=2), cores=two),
    ]
    with measured(contenders, bench, plan) as found:
        show(found, of=found[1:2])
        _, *ours_of_one_and_two, alone, both = found
        for name, fewer, more in (
            ("Keyturn on two cores", *ours_of_one_and_two),
            ("A signature on two cores", alone, both),
        ):
            print(
                f"{name} is {more.share_of(fewer):.2f} × on one (each shares its cores with the "
                f"load); {2 * fewer.cpu_median / more.cpu_median:.2f} × by CPU time a request"
            )
    account(found, bench, before)
    bench.installation.close()


def introspection(directory: Path, plan: Plan, extent: Extent) -> None:
    """Introspection of JWTs and of API keys (RFC 7662)."""
    bench = Workbench.set_up(directory, plan.threads)
    installation = bench.installation
    caller = installation.client(scopes=[INTROSPECT])
    presented = {
        "Introspection of a JWT": [installation.token(one) for one in bench.clients],
        "Introspection of an API key": [installation.api_key() for _ in bench.clients],
    }
    contenders = [
        Contender(
            name,
            _asked(
                bench,
                [post(INTROSPECT_PATH, f"token={one}".encode(), caller.basic) for one in of_a_kind],
                LIMITED,
                proof="active",
            ),
        )
        for name, of_a_kind in presented.items()
    ]
    with measured(contenders, bench, plan) as found:
        show(found)
    installation.close()


def clients(directory: Path, plan: Plan, extent: Extent) -> None:
    """A thousand registered clients, and very many; who asks is drawn from all of them."""
    few, many = min(FEW, max(1, extent.clients // 2)), extent.clients
    small, large = (
        _filled(directory / name, plan, n) for name, n in (("few", few), ("many", many))
    )
    before = [bench.installation.tokens_in_log() for bench in (small, large)]
    chance = random.Random(1)
    environ = {**LIMITED, "KEYTURN_DIRECTORY_SIZE": str(REMEMBERED)}

    def asking(bench: Workbench, count: int, *, all_known: bool) -> Contender:
        drawn = chance.sample(bench.clients, min(count, len(bench.clients)))
        return Contender(
            f"{len(bench.clients):,} registered, {len(drawn):,} of them ask",
            _asked(bench, [one.token_request for one in drawn], environ),
            is_ours=True,
            asked_first=len(drawn) if all_known else 0,
        )

    contenders = [
        asking(small, FEW, all_known=True),
        asking(large, ACTIVE, all_known=True),
        asking(large, 2 * REMEMBERED, all_known=False),
    ]
    with measured(contenders, small, plan) as found:
        show(found, of=found[:1])
        print(f"A worker remembers {REMEMBERED:,} clients (KEYTURN_DIRECTORY_SIZE)")
    for bench, lines, count in zip((small, large), (found[:1], found[1:]), before, strict=True):
        account(lines, bench, count)
        bench.installation.close()


def _asked(
    bench: Workbench, requests: Sequence[bytes], environ: Mapping[str, str], proof: str = TOKEN
) -> Callable[[Workbench, int], Served]:
    """Keyturn on this installation, asked these requests."""

    def serve(_: Workbench, port: int) -> Served:
        settings = {**bench.environ(port), **environ}
        return Served(flask_serve(bench, port), tuple(requests), settings, proof=proof)

    return serve


def _filled(directory: Path, plan: Plan, count: int) -> Workbench:
    directory.mkdir()
    installation = Installation(directory)
    return Workbench(directory, installation, plan.threads, installation.fill(count))


def verification(directory: Path, plan: Plan, extent: Extent) -> None:
    """Verification at a resource server, in process: ours, others, the bare signature check."""
    effort = Effort(plan.rounds, min(plan.seconds, 0.2))
    with pinned(Cores.apart().server):
        verifying.verification(directory, effort)


def revocation(directory: Path, plan: Plan, extent: Extent) -> None:
    """How soon an offline verifier knows of a revocation."""
    verifiers.revocation(directory, min(verifiers.REVOCATIONS, 20 * plan.rounds))


SECTIONS: Mapping[str, Callable[[Path, Plan, Extent], None]] = {
    "tokens": tokens,
    "workers": workers,
    "introspection": introspection,
    "clients": clients,
    "verification": verification,
    "revocation": revocation,
}
