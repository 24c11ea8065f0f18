"""A contender that runs: its process, what it answers, what it uses."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from typing import IO

from benchmarks.contenders import Contender, Workbench
from benchmarks.installation import process_environ
from benchmarks.load import HOST, ask, write_requests
from benchmarks.machine import Tree, pinned

_PATIENCE = 60.0


class Running:
    """A started contender."""

    def __init__(self, contender: Contender, bench: Workbench) -> None:
        self.contender = contender
        self.port = free_port()
        served = contender.serve(bench, self.port)
        self._request, self._proof = served.requests[0], served.proof
        self.requests = bench.directory / f"requests-{self.port}"
        write_requests(self.requests, served.requests)
        self._log: IO[bytes] = (bench.directory / f"log-{self.port}").open("w+b")
        begun = time.perf_counter()
        with pinned(contender.cores.server):
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
        """Seconds from nothing to the first answer."""
        self.tree = Tree(self._process.pid)

    def log(self) -> str:
        """What it has printed."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def check(self) -> bytes:
        """One answer, which must be a good one. Raises RuntimeError."""
        body = ask(self.port, self._request)
        if not json.loads(body).get(self._proof):
            raise RuntimeError(f"{self.contender.name} answers: {body[:200]!r}")
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


def free_port() -> int:
    """One that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
