"""The real thing: ``flask serve`` in a process of its own, on a socket."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from app.cli.shipping import NAME as SHIPPER
from tests.support import forked
from tests.support.forked import Forked
from tests.support.installation import Credentials, Installation, process_environ

HOST = "127.0.0.1"
V = TypeVar("V")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(condition: Callable[[], V], timeout: float = 10.0, every: float = 0.01) -> V:
    """What ``condition`` answers once that is true. Raises AssertionError after ``timeout``."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {condition}; it was {found!r}")
        time.sleep(every)


class Served:
    """A running server, and HTTP to it. ``post``, ``get``, … are those of an httpx.Client."""

    def __init__(self, process: Forked, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=20)
        self._log = log

    def get(self, path: str, **also: Any) -> httpx.Response:
        return self.http.get(path, **also)

    def post(self, path: str, **also: Any) -> httpx.Response:
        return self.http.post(path, **also)

    def request(self, method: str, path: str, **also: Any) -> httpx.Response:
        return self.http.request(method, path, **also)

    def ask(self, client: Credentials | None, **form: Any) -> httpx.Response:
        """A token request by HTTP Basic."""
        data = {"grant_type": "client_credentials", **form}
        return self.post("/oauth/token", data=data, auth=client)

    def token(self, client: Credentials, **form: Any) -> str:
        """An access token."""
        response = self.ask(client, **form)
        assert response.status_code == 200, response.text
        token: str = response.json()["access_token"]
        return token

    def connect(self, timeout: float = 20) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=timeout)

    def raw(self, *sent: bytes, timeout: float = 20, half_close: bool = False) -> bytes:
        """Everything that comes back for these very bytes, until the other side closes."""
        with self.connect(timeout) as connection:
            # The other side may have heard enough before we have said it all.
            with suppress(BrokenPipeError, ConnectionResetError):
                for part in sent:
                    connection.sendall(part)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            received = b""
            with suppress(ConnectionResetError):
                while part := connection.recv(65536):
                    received += part
        return received

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def workers(self) -> list[psutil.Process]:
        """The processes that serve; the first process only watches over them."""
        children = psutil.Process(self.process.pid).children()
        # A spawned child that only tracks resources serves nobody.
        return [
            child
            for child in children
            if _name(child) != SHIPPER and "resource_tracker" not in " ".join(child.cmdline())
        ]

    def shippers(self) -> list[psutil.Process]:
        """The processes that take the journal to the database."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if _name(child) == SHIPPER]

    def kill(self) -> None:
        """As a power failure would: nothing is finished, nothing is told."""
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            psutil.wait_procs(children, timeout=10)
        self.process.wait(timeout=10)
        self.http.close()

    def stop(self) -> None:
        """As an operator would."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        self.http.close()


def start(
    installation: Installation,
    *,
    port: int | None = None,
    workers: int = 1,
    threads: int = 16,
    patience: float = 40,
    **environ: str,
) -> Served:
    """Serve this installation; the issuer is where it is served, unless said otherwise."""
    port = port or free_port()
    issuer = installation.environ.get("KEYTURN_ISSUER") or f"http://{HOST}:{port}"
    log = installation.directory / f"serve-{port}.log"
    given: Mapping[str, str] = {"KEYTURN_ISSUER": issuer, **installation.environ, **environ}
    with log.open("ab") as output:
        process = forked.begin(
            ["serve", "--host", HOST, "--port", str(port),
             "--workers", str(workers), "--threads", str(threads)],
            process_environ(given), output.fileno(),
        )  # fmt: skip
    served = Served(process, port, log)
    try:
        eventually(lambda: _is_live(served), timeout=patience, every=0.05)
    except AssertionError:
        served.kill()
        raise AssertionError(f"the server does not start:\n{served.log()[-4000:]}") from None
    return served


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:  # meanwhile
        return ""


def _is_live(served: Served) -> bool:
    if served.process.poll() is not None:
        raise AssertionError("it ended")
    try:
        return served.get("/health").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def serving(installation: Installation, **also: Any) -> Iterator[Served]:
    """Serve for as long as the block lasts. A traceback in its log is a failure."""
    served = start(installation, **also)
    try:
        yield served
    finally:
        served.stop()
    assert "Traceback" not in served.log(), served.log()[-6000:]
