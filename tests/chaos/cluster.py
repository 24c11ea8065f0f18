"""Three nodes over one PostgreSQL and one Redis, and what is done to them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.installation import Credentials, Installation
from tests.support.served import Served, eventually, free_port, start

NODES = 3
PATIENCE = 40
"""Seconds within which anything that has no bound of its own has to happen: for slow machines."""
START = 100
"""Seconds for a start: three at once, beside other tests, on a machine that may be busy."""
BOUND = 2.0
"""Seconds after which what was revoked is accepted nowhere."""


class Node:
    """One server with a journal of its own; it comes back on the same port."""

    def __init__(self, number: int, installation: Installation, workers: int, **environ: str):
        self.number = number
        self.home = installation.directory / f"node-{number}"
        self.port = free_port()
        self._installation = installation
        self._workers = workers
        self._environ = {
            "KEYTURN_JOURNAL_DIR": str(self.home / "journal"),
            "KEYTURN_COUNTERS_FILE": str(self.home / "counters"),
            **environ,
        }
        self.served: Served | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def journal(self) -> Path:
        return self.home / "journal"

    def start(self) -> None:
        self.served = start(
            self._installation,
            port=self.port,
            workers=self._workers,
            threads=8,
            patience=START,
            **self._environ,
        )

    def workers(self) -> list[psutil.Process]:
        """The workers that live."""
        found = []
        for child in psutil.Process(self.served.process.pid).children():
            # One that was killed stays a zombie until its parent looks.
            with suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in " ".join(
                    child.cmdline()
                ):
                    found.append(child)
        return found

    def stop(self) -> None:
        if self.served is not None:
            self.served.stop()

    def restart(self) -> None:
        """As an orchestrator does: SIGTERM, wait for the end, start anew."""
        self.stop()
        self.start()

    def anew(self, times: int = 6) -> Iterator[httpx.Client]:
        """Connections that did not exist before: they reach every worker, not only one."""
        for _ in range(times):
            with httpx.Client(base_url=self.url, timeout=20) as client:
                yield client


class Cluster:
    """The nodes, and every ``jti`` that anybody received from them."""

    def __init__(self, installation: Installation, workers: int, **environ: str) -> None:
        self.installation = installation
        self.workers = workers
        issuer = {"KEYTURN_ISSUER": "http://127.0.0.1:8000"}
        self.issuer = issuer["KEYTURN_ISSUER"]
        self.nodes = [
            Node(number, installation, workers, **issuer, **environ) for number in range(NODES)
        ]
        self.received: list[str] = []

    @contextmanager
    def running(self) -> Iterator[Cluster]:
        with ThreadPoolExecutor(NODES) as pool:
            begun = [pool.submit(node.start) for node in self.nodes]
        try:
            for one in begun:
                one.result()
            yield self
        finally:
            with ThreadPoolExecutor(NODES) as pool:
                list(pool.map(Node.stop, self.nodes))
        for node in self.nodes:
            assert "Traceback" not in node.served.log(), node.served.log()[-6000:]

    # Faults --------------------------------------------------------------------------------

    def kill_oldest_worker(self) -> tuple[Node, float]:
        """``kill -9``, and wait until its node has as many workers as before."""
        victim, node = min(
            ((worker, node) for node in self.nodes for worker in node.workers()),
            key=lambda found: found[0].create_time(),
        )
        killed_at = time.monotonic()
        os.kill(victim.pid, signal.SIGKILL)

        def is_replaced() -> bool:
            assert node.served.process.poll() is None, node.served.log()[-4000:]
            now = [one.pid for one in node.workers()]
            return victim.pid not in now and len(now) == self.workers

        eventually(is_replaced, timeout=PATIENCE, every=0.05)
        return node, killed_at

    # What is asked -------------------------------------------------------------------------

    def introspections(self, caller: Credentials, token: str) -> list[tuple[int, bool]]:
        """Node and ``active``, of several workers of each node."""
        found = []
        for node in self.nodes:
            for http in node.anew():
                response = http.post("/oauth/introspect", data={"token": token}, auth=caller)
                assert response.status_code == 200, response.text
                found.append((node.number, response.json()["active"]))
        return found

    def token_answers(self, client: Credentials) -> list[tuple[int, int]]:
        """Node and status of token requests, of several workers of each node."""
        found = []
        for node in self.nodes:
            for http in node.anew():
                form = {"grant_type": "client_credentials"}
                response = http.post("/oauth/token", data=form, auth=client)
                found.append((node.number, response.status_code))
        return found

    def administration(self, key: str, method: str = "GET", **also: Any) -> list[httpx.Response]:
        """What each node answers to an administrative call."""
        headers = {"Authorization": f"Bearer {key}"}
        found = []
        for node in self.nodes:
            with httpx.Client(base_url=node.url, timeout=20) as http:
                found.append(http.request(method, "/v1/clients", headers=headers, **also))
        return found

    # What must hold ------------------------------------------------------------------------

    def assert_all_recorded(self, received: Iterable[str] = ()) -> None:
        """Every token that somebody received is in the audit log, and none is there twice."""
        self.received += received
        assert len(set(self.received)) == len(self.received), "a jti was given twice"

        def missing() -> set[str]:
            return set(self.received).difference(self._recorded())

        eventually(lambda: not missing() or None, timeout=PATIENCE, every=0.5)
        recorded = self._recorded()
        assert len(recorded) == len(set(recorded)), "an event was recorded twice"
        for node in self.nodes:
            assert not list(node.journal.glob("*rejected*")), "lines that nobody can read"

    def _recorded(self) -> list[str]:
        rows = self.installation.rows(
            "SELECT target_id FROM audit_events WHERE type = 'token.issued'"
        )
        return [row.target_id for row in rows]
