"""Load: keep-alive connections that ask again as soon as they are answered (a closed loop).

``wrk`` where it is installed, else a generator of our own that needs only Python. Both run in a
process of their own, so that they can be pinned beside the server and not on it:

    python -m benchmarks.load PORT FILE SECONDS CONNECTIONS FIRST

``FILE`` holds raw HTTP requests, asked in turn from number ``FIRST`` on; each is preceded by its
length on a line.
"""

from __future__ import annotations

import json
import re
import resource
import selectors
import shutil
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Cores, pinned

HOST = "127.0.0.1"
MAX_SECONDS = 120.0
MAX_CONNECTIONS = 4096
MAX_REQUESTS = 20_000_000
WRK_SCRIPT = Path(__file__).with_name("wrk.lua")
_PATIENCE = 10.0
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of load against one server."""

    requests: int
    """Answered with 200."""
    seconds: float
    failed: int
    """Other answers, and connections that broke."""
    p50: float
    p99: float
    longest: float
    """Seconds from sending a request to having its answer."""
    busy: float
    """Share of its core that the generator used: near 1, it measured itself."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Generator:
    """Makes load: ``wrk`` or ``python``."""

    name: str

    @classmethod
    def chosen(cls, wanted: str) -> Generator:
        """``auto`` takes wrk where it is on PATH. Raises SystemExit where it is wanted and not."""
        has_wrk = shutil.which("wrk") is not None
        if wanted == "wrk" and not has_wrk:
            raise SystemExit("benchmarks: wrk is not on PATH; try --load python")
        return cls("wrk" if has_wrk and wanted != "python" else "python")

    def __str__(self) -> str:
        if self.name == "python":
            return "our own generator in Python"
        said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, timeout=10)
        return " ".join(said.stdout.split()[:2])

    def run(
        self, port: int, requests: Path, seconds: float, connections: int,
        first: int, cores: Cores,
    ) -> Measured:  # fmt: skip
        """One bounded round. Raises RuntimeError when the generator itself fails."""
        if not 0 < seconds <= MAX_SECONDS or not 0 < connections <= MAX_CONNECTIONS:
            raise ValueError(f"up to {MAX_SECONDS:.0f} s and {MAX_CONNECTIONS} connections")
        command = self._command(port, requests, seconds, connections, first)
        if cores.is_load_nice:
            command = ["nice", "-n", "19", *command]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with pinned(cores.load):
            ended = subprocess.run(
                command, capture_output=True, text=True, cwd=_ROOT, timeout=seconds + 60
            )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
        if ended.returncode or not lines:
            raise RuntimeError(f"{self.name}: {(ended.stderr or ended.stdout)[-2000:]}")
        found = json.loads(lines[-1])
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Measured(**found, busy=used / found["seconds"])

    def _command(
        self, port: int, requests: Path, seconds: float, connections: int, first: int
    ) -> list[str]:
        if self.name == "python":
            arguments = [str(port), str(requests), str(seconds), str(connections), str(first)]
            return [sys.executable, "-m", "benchmarks.load", *arguments]
        return [
            "wrk", "--threads", "1", "--connections", str(connections),
            "--duration", f"{max(1, round(seconds))}s", "--timeout", f"{_PATIENCE:.0f}s",
            "--script", str(WRK_SCRIPT), f"http://{HOST}:{port}/", "--", str(requests), str(first),
        ]  # fmt: skip


def post(path: str, form: bytes, authorization: str) -> bytes:
    """A form as ``requests`` sends it: what servers are really asked to parse."""
    head = (
        f"POST {path} HTTP/1.1\r\n"
        f"Host: {HOST}\r\n"
        "User-Agent: python-requests/2.32.5\r\n"
        "Accept-Encoding: gzip, deflate\r\n"
        "Accept: */*\r\n"
        "Connection: keep-alive\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(form)}\r\n"
        f"Authorization: {authorization}\r\n\r\n"
    )
    return head.encode("ascii") + form


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """The file that both generators read; it holds credentials, so nobody else may."""
    path.touch(mode=0o600)
    path.write_bytes(b"".join(b"%d\n%b" % (len(request), request) for request in requests))


def read_requests(path: Path) -> list[bytes]:
    data, found = path.read_bytes(), []
    while data:
        length, _, data = data.partition(b"\n")
        found.append(data[: int(length)])
        data = data[int(length) :]
    return found


def ask(port: int, request: bytes) -> bytes:
    """One answer's body on a connection of its own. Raises OSError and RuntimeError."""
    with socket.create_connection((HOST, port), timeout=_PATIENCE) as connection:
        connection.sendall(request)
        reader = _Answers()
        while not reader.take(connection.recv(65536)):
            pass
    if not reader.is_ok:
        raise RuntimeError(f"the server answers {reader.status.decode(errors='replace')}")
    return reader.body


class _Answers:
    """Reads the answers of one connection, which must say their length."""

    __slots__ = ("_buffer", "body", "is_ok", "status")

    _LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)

    def __init__(self) -> None:
        self._buffer = b""
        self.is_ok = False
        self.status = self.body = b""

    def take(self, received: bytes) -> bool:
        """Whether an answer is complete now. Raises ConnectionError and RuntimeError."""
        if not received:
            raise ConnectionError("the server closed the connection")
        data = self._buffer + received if self._buffer else received
        head, end, body = data.partition(b"\r\n\r\n")
        if not end:
            self._buffer = data
            return False
        length = self._LENGTH.search(head)
        if length is None:
            raise RuntimeError("the server does not say how long its answer is")
        if len(body) < int(length[1]):
            self._buffer = data
            return False
        self._buffer = b""
        self.is_ok = head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
        self.status, self.body = head.partition(b"\r\n")[0], body
        return True


class _Connection:
    """One connection of the closed loop."""

    __slots__ = ("answers", "begun", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = _Answers()
        self.begun = 0

    def send(self, request: bytes) -> None:
        self.begun = time.perf_counter_ns()
        self.socket.send(request)  # always fits: the other side reads before it answers


def generate(
    port: int, requests: Sequence[bytes], seconds: float, connections: int, first: int
) -> dict[str, Any]:
    """Ask for ``seconds`` over ``connections``, from a request on; what ``Measured`` needs."""
    waiting = selectors.DefaultSelector()
    open_connections = [_Connection(port) for _ in range(connections)]
    taken = array("q")
    failed, asked = 0, first
    begun = now = time.perf_counter_ns()
    until = begun + round(seconds * 1e9)
    for connection in open_connections:
        waiting.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(requests[asked % len(requests)])
        asked += 1
    while now < until and asked - first < MAX_REQUESTS and waiting.get_map():
        for key, _ in waiting.select(timeout=0.1):
            connection = key.data
            try:
                complete = connection.answers.take(connection.socket.recv(65536))
            except OSError:
                failed += 1
                waiting.unregister(connection.socket)
                continue
            if complete:
                now = time.perf_counter_ns()
                if connection.answers.is_ok:
                    taken.append(now - connection.begun)
                else:
                    failed += 1
                connection.send(requests[asked % len(requests)])
                asked += 1
        now = time.perf_counter_ns()
    for connection in open_connections:
        connection.socket.close()
    ordered = sorted(taken)
    return {
        "requests": len(ordered),
        "seconds": (now - begun) / 1e9,
        "failed": failed,
        "p50": percentile(ordered, 0.50) / 1e9,
        "p99": percentile(ordered, 0.99) / 1e9,
        "longest": (ordered[-1] if ordered else 0) / 1e9,
    }


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that this share of an ordered sequence does not exceed; 0 of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def main(arguments: Sequence[str]) -> None:
    port, path, seconds, connections, first = arguments
    requests = read_requests(Path(path))
    found = generate(int(port), requests, float(seconds), int(connections), int(first))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
