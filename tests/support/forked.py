"""``python -m flask …`` without its second of imports: forked from a process that has done them.

What runs is Flask's own command line in a process of its own, with its own environment, working
directory and files. One such process a test worker, begun with the first use; it ends with it.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 1 << 20
"""Bytes of one request: a command line and its environment."""


class Forked:
    """A process that Flask's command line runs in; what a ``subprocess.Popen`` can do."""

    def __init__(self, pid: int, imported: _Imported) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._imported = imported

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._imported.ask(pid=self.pid)
        return self.returncode

    def wait(self, timeout: float = 600) -> int:
        deadline = time.monotonic() + timeout
        while (ended := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("flask", timeout)
            time.sleep(0.005)
        return ended

    def send_signal(self, number: int) -> None:
        # Nobody else reaps it, so until it was polled its number is nobody else's.
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def flask(arguments: Sequence[str], environ: Mapping[str, str], output: IO[bytes]) -> Forked:
    """Begin ``flask ARGUMENTS`` in the checkout; what it prints and logs goes to ``output``."""
    imported = _imported()
    pid = imported.ask([output.fileno()], arguments=[*arguments], environ=dict(environ))
    return Forked(pid, imported)


class _Imported:
    """The process that has imported everything, and the line to it."""

    def __init__(self) -> None:
        self._one = Lock()
        self._line, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its_end:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-m", __name__, str(its_end.fileno())],
                cwd=ROOT,
                pass_fds=[its_end.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self._end)

    def _end(self) -> None:
        self._line.close()
        self._process.wait()

    def ask(self, files: Sequence[int] = (), **asked: Any) -> Any:
        with self._one:
            socket.send_fds(self._line, [json.dumps(asked).encode()], list(files))
            answer = self._line.recv(LONGEST)
        if not answer:
            raise RuntimeError("the process that forks others has ended")
        return json.loads(answer)


@cache
def _imported() -> _Imported:
    return _Imported()


def _serve(line: socket.socket) -> Mapping[str, Any]:
    """Answer until the other side is gone; in a forked process: return what it shall run."""
    ended: dict[int, int] = {}  # asked about again, when two threads ask at once
    while True:
        said, files, _, _ = socket.recv_fds(line, LONGEST, 1)
        if not said:
            raise SystemExit
        asked = json.loads(said)
        if "pid" in asked:
            pid = asked["pid"]
            if pid not in ended:
                gone, status = os.waitpid(pid, os.WNOHANG)
                if gone:
                    ended[pid] = os.waitstatus_to_exitcode(status)
            answer = ended.get(pid)
        else:
            answer = os.fork()
            if answer == 0:
                line.close()
                os.dup2(files[0], 1)
                os.dup2(files[0], 2)
                os.close(files[0])
                return dict(asked)
            os.close(files[0])
        line.send(json.dumps(answer).encode())


def _main() -> None:
    from flask import cli

    import app  # noqa: F401
    from app.cli import server  # noqa: F401

    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    os.environ.clear()
    os.environ.update(asked["environ"])
    sys.argv = ["flask", *asked["arguments"]]
    cli.main()


if __name__ == "__main__":
    _main()
