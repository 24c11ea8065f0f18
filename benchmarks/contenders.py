"""Who is measured: each a command that serves, and the requests it is asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import ceilings
from benchmarks.installation import LIMITED, ROOT, Credentials, Installation
from benchmarks.machine import Cores

CLIENTS = 100
"""Clients that ask in turn: more than one, so that no single answer is all that is kept."""
TOKEN = "access_token"


@dataclass(frozen=True, slots=True)
class Workbench:
    """What contenders are made from."""

    directory: Path
    installation: Installation
    threads: int
    clients: Sequence[Credentials]
    """Who asks: every contender knows the same clients and is asked the same bytes."""

    @classmethod
    def set_up(cls, directory: Path, threads: int) -> Workbench:
        installation = Installation(directory)
        clients = [installation.client() for _ in range(CLIENTS)]
        return cls(directory, installation, threads, clients)

    @property
    def sample(self) -> Path:
        """An answer of ours: ceilings answer at the same length."""
        return self.directory / "sample.json"

    @property
    def token_requests(self) -> tuple[bytes, ...]:
        return tuple(one.token_request for one in self.clients)

    def environ(self, port: int) -> dict[str, str]:
        """The settings of one server. Its journal is its own, or others would ship it in turn."""
        journal = self.installation.journals / f"of-{port}"
        return {**self.installation.environ, "KEYTURN_JOURNAL_DIR": str(journal)}


@dataclass(frozen=True, slots=True)
class Served:
    """How a contender is started."""

    command: Sequence[str]
    requests: tuple[bytes, ...] = field(repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: Path = ROOT
    proof: str = TOKEN
    """The member of its JSON that a good answer has, and that is true there."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One line of the table."""

    name: str
    serve: Callable[[Workbench, int], Served]
    """How it is served on a port."""
    is_ceiling: bool = False
    """Others are shown as a share of it."""
    is_ours: bool = False
    """Its tokens must be in the audit log."""
    cores: Cores = field(default_factory=Cores.apart)
    asked_first: int = 0
    """Requests before anything is measured: as many as there are clients to be remembered."""


def ours(
    root: Path = ROOT, environ: Mapping[str, str] = LIMITED, workers: int = 1
) -> Callable[[Workbench, int], Served]:
    """``flask serve`` of a checkout: client check, decision, signature, journal, shipping, feed."""

    def serve(bench: Workbench, port: int) -> Served:
        settings = {**bench.environ(port), **environ}
        command = flask_serve(bench, port, workers)
        return Served(command, bench.token_requests, settings, directory=root)

    return serve


def ceiling(name: str, workers: int = 1) -> Callable[[Workbench, int], Served]:
    """One of ``benchmarks.ceilings``."""

    def serve(bench: Workbench, port: int) -> Served:
        directory = bench.directory / "ceilings"
        directory.mkdir(exist_ok=True)
        (directory / "wsgi.py").write_text(ceilings.WSGI)
        environ = {ceilings.NAME: name, ceilings.SAMPLE: str(bench.sample), "PYTHONPATH": str(ROOT)}
        environ |= bench.environ(port)
        command = flask_serve(bench, port, workers)
        return Served(command, bench.token_requests, environ, directory)

    return serve


def flask_serve(bench: Workbench, port: int, workers: int = 1) -> list[str]:
    """Keyturn's own command, as an operator gives it."""
    settings = ["--port", str(port), "--threads", str(bench.threads), "--workers", str(workers)]
    return [sys.executable, "-m", "flask", "serve", *settings]


OURS = (
    Contender("Keyturn, everything on", ours(), is_ours=True),
    Contender("Keyturn, as installed", ours(environ={}), is_ours=True),
)

CEILINGS = (
    Contender("WSGI, constant answer", ceiling("constant"), is_ceiling=True),
    Contender("WSGI, one signature", ceiling("signed"), is_ceiling=True),
    Contender("Flask view, one signature", ceiling("flask_signed"), is_ceiling=True),
)
