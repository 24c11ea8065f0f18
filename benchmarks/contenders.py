"""Who is measured: each a command that serves, and the requests it is asked."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from benchmarks import ceilings
from benchmarks.installation import LIMITED, ROOT, Installation, process_environ
from benchmarks.load import HOST, ask, write_requests
from benchmarks.machine import Cores, Tree, pinned

CLIENTS = 100
"""Clients that ask in turn: more than one, so that no single answer is all that is kept."""
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Workbench:
    """What contenders are made from."""

    directory: Path
    installation: Installation
    threads: int
    requests: tuple[bytes, ...]
    """Token requests of our clients; every contender is asked the same bytes, unless it needs
    clients of its own."""
    sample: Path
    """An answer of ours: ceilings answer at the same length."""

    @classmethod
    def set_up(cls, directory: Path, threads: int) -> Workbench:
        installation = Installation(directory)
        requests = tuple(installation.client().token_request for _ in range(CLIENTS))
        return cls(directory, installation, threads, requests, directory / "sample.json")

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


def ours(
    root: Path = ROOT, environ: Mapping[str, str] = LIMITED
) -> Callable[[Workbench, int], Served]:
    """``flask serve`` of a checkout: client check, decision, signature, journal, shipping, feed."""

    def serve(bench: Workbench, port: int) -> Served:
        settings = {**bench.environ(port), **environ}
        return Served(_flask_serve(bench, port), bench.requests, settings, directory=root)

    return serve


def ceiling(name: str) -> Callable[[Workbench, int], Served]:
    """One of ``benchmarks.ceilings``."""

    def serve(bench: Workbench, port: int) -> Served:
        directory = bench.directory / "ceilings"
        directory.mkdir(exist_ok=True)
        (directory / "wsgi.py").write_text(ceilings.WSGI)
        environ = {ceilings.NAME: name, ceilings.SAMPLE: str(bench.sample), "PYTHONPATH": str(ROOT)}
        environ |= bench.environ(port)
        return Served(_flask_serve(bench, port), bench.requests, environ, directory)

    return serve


def _flask_serve(bench: Workbench, port: int) -> list[str]:
    settings = ["--port", str(port), "--threads", str(bench.threads)]
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

# Other people's servers: a command and the requests of a client of its own make one of them a line.
PEERS: tuple[Contender, ...] = ()


class Running:
    """A started contender."""

    def __init__(self, contender: Contender, bench: Workbench, cores: Cores) -> None:
        self.contender = contender
        self.port = _free_port()
        served = contender.serve(bench, self.port)
        self._request = served.requests[0]
        self.requests = bench.directory / f"requests-{self.port}"
        write_requests(self.requests, served.requests)
        self._log: IO[bytes] = (bench.directory / f"log-{self.port}").open("w+b")
        begun = time.perf_counter()
        with pinned(cores.server):
            self._process = subprocess.Popen(
                served.command,
                cwd=served.directory,
                env=process_environ(served.environ),
                stdout=self._log,
                stderr=self._log,
            )
        try:
            self.first_answer = self._first_answer()
        except BaseException:
            self.stop()
            raise
        self.started_in = time.perf_counter() - begun
        """Seconds from nothing to the first token."""
        self.tree = Tree(self._process.pid)

    def log(self) -> str:
        """What it has printed."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def check(self) -> bytes:
        """One answer, which must hold a token. Raises RuntimeError."""
        body = ask(self.port, self._request)
        if "access_token" not in json.loads(body):
            raise RuntimeError(f"{self.contender.name} answers no token: {body[:200]!r}")
        return body

    def settle(self, patience: float = 30.0) -> float:
        """Wait until it has done what a round has left behind; answers for how long."""
        begun = time.perf_counter()
        before = self.tree.cpu_seconds()
        while before is not None and time.perf_counter() - begun < patience:
            time.sleep(0.25)
            after = self.tree.cpu_seconds() or before
            if after - before < 0.02:
                break
            before = after
        return time.perf_counter() - begun

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)
        self._log.close()

    def _first_answer(self) -> bytes:
        until = time.perf_counter() + _PATIENCE
        while True:
            try:
                return self.check()
            except ConnectionError:
                if self._process.poll() is not None or time.perf_counter() > until:
                    reason = self.log()[-4000:]
                    raise RuntimeError(f"{self.contender.name} does not start:\n{reason}") from None
            time.sleep(0.005)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
