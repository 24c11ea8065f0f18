"""``python -m flask …`` without its second of imports: forked from a process that has done them.

What runs is Flask's own command line, or another module over the same imports, in a process of its
own, with its own environment, working directory and files. One such process a test worker, begun
with the first use; it ends with it.
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
from runpy import run_module
from tempfile import TemporaryFile
from threading import Lock
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FLASK = "flask"
STANDARD = 3
"""Files of a process: what it reads, what it prints, what it complains of."""
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


def begin(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    output: int,
    errors: int | None = None,
    given: int | None = None,
    cwd: Path = ROOT,
    module: str = FLASK,
) -> Forked:
    """Begin ``python -m MODULE ARGUMENTS``; what it reads, prints and logs by descriptors of open
    files, both outputs to one unless ``errors`` is another."""
    imported = _imported()
    with open(os.devnull, "rb") as nothing:
        files = [
            nothing.fileno() if given is None else given,
            output,
            output if errors is None else errors,
        ]
        argv = [module, *arguments]
        pid = imported.ask(files, argv=argv, environ=dict(environ), cwd=str(cwd))
    return Forked(pid, imported)


def run(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    given: str = "",
    *,
    cwd: Path = ROOT,
    module: str = FLASK,
    timeout: float = 100,
) -> subprocess.CompletedProcess[str]:
    """``python -m MODULE ARGUMENTS`` to its end, as ``subprocess.run`` would."""
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(given.encode())
        stdin.seek(0)
        files = (stdout.fileno(), stderr.fileno(), stdin.fileno())
        begun = begin(arguments, environ, *files, cwd=cwd, module=module)
        try:
            status = begun.wait(timeout)
        finally:
            begun.kill()
        stdout.seek(0)
        stderr.seek(0)
        printed, complained = stdout.read().decode(), stderr.read().decode()
        return subprocess.CompletedProcess([*arguments], status, printed, complained)


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
        said, files, _, _ = socket.recv_fds(line, LONGEST, STANDARD)
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
                for number, file in enumerate(files):
                    os.dup2(file, number)
                    os.close(file)
                return dict(asked)
            for file in files:
                os.close(file)
        line.send(json.dumps(answer).encode())


def _main() -> None:
    from flask import cli

    import app  # noqa: F401
    from app.cli import server  # noqa: F401

    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.chdir(asked["cwd"])
    module, *_ = sys.argv = asked["argv"]
    if module == FLASK:
        cli.cli.main(prog_name=FLASK)
    else:
        run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
