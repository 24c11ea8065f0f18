"""What the demo stands on: a temporary directory, processes that end with it, and its printing."""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
WIDTH = 100
START_TIMEOUT = 40.0
COMMAND_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Failed(Exception):
    """The demo cannot go on; says why."""


class Stage:
    """Everything the demo makes is in one directory and in processes it knows; all of it goes."""

    def __init__(self) -> None:
        self.interrupted = False
        self._stack = ExitStack()
        self._directory = Path(tempfile.mkdtemp(prefix="keyturn-demo-"))
        self._stack.callback(shutil.rmtree, self._directory)
        # Nothing of the surroundings: no other installation's settings, no proxy to this machine.
        for name in [name for name in os.environ if name.startswith(("KEYTURN_", "FLASK_"))]:
            del os.environ[name]
        os.environ.update(FLASK_APP="wsgi.py", PYTHONUNBUFFERED="1", NO_PROXY=HOST, no_proxy=HOST)

    def __enter__(self) -> Stage:
        for ending in (*_ENDINGS, signal.SIGALRM):
            signal.signal(ending, self._interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for ending in (signal.SIGALRM, *_ENDINGS):  # tidying up is not interrupted
            signal.signal(ending, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._stack.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True  # for those who find it swallowed
        # Where Python runs a destructor nothing can be raised: then it is raised again.
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        raise KeyboardInterrupt

    def path(self, name: str) -> Path:
        return self._directory / name

    def shell(self, command: str, **environ: str) -> Any:
        """The JSON that it prints. Raises Failed unless it ends well."""
        process = subprocess.Popen(  # a session of its own: Ctrl+C is for the demo, which ends it
            command,
            shell=True,
            cwd=ROOT,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=COMMAND_TIMEOUT)
        finally:
            _end(process)
        if process.returncode != 0:
            raise Failed(f"{command}\nended with {process.returncode}: {errors}")
        return json.loads(output)

    def flask(self, *arguments: str) -> Any:
        """What `flask … --json` prints, read. Raises Failed."""
        return self.shell(shlex.join([sys.executable, "-m", "flask", *arguments, "--json"]))

    def serve(self, name: str, *command: str, **environ: str) -> Served:
        """A process of its own, until the stage is taken down; its log is a file of that name."""
        log = self.path(f"{name}.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        served = Served(name, process, log)
        self._stack.callback(served.stop)
        return served


class Served:
    """A server that was started."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log
        self._ready = False

    def wait_for(self, url: str) -> None:
        """Until it answers. Raises Failed."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if httpx.get(url, timeout=5, trust_env=False).status_code == 200:
                    self._ready = True
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise Failed(f"{self._name} does not start\n{self.log()[-4000:]}")

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        # Granian's worker does not hear a SIGTERM while it starts, and has nothing to finish then.
        if self._ready and self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT)
        with suppress(
            ProcessLookupError, PermissionError
        ):  # whoever of its group has not gone by now
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Story:
    """Numbered steps on a slide, and a tick or a cross at whatever was expected."""

    def __init__(self) -> None:
        self._steps = 0
        self._held = 0
        self._broken: list[str] = []
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def say(self, text: str = "") -> None:
        print(text, flush=True)

    def step(self, title: str) -> None:
        self._steps += 1
        self.say(f"\n{self._paint('1', f'{self._steps:>2}  {title}')}")

    def shell(self, command: str) -> None:
        first, *more = command.splitlines()
        self.say(self._paint("2", f"    $ {first}"))
        for line in more:
            self.say(self._paint("2", f"      {line}"))

    def fact(self, name: str, value: object, width: int = 20) -> None:
        self.say(f"      {name:<{width}}{value}")

    def listing(self, title: str, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            lines = textwrap.wrap(str(value), WIDTH - 40) or [""]
            self.fact(title, f"{name:<10}  {lines[0]}")
            for more in lines[1:]:
                self.fact("", f"{'':<10}  {more}")
            title = ""

    def expect(self, good: bool, text: str) -> None:
        if good:
            self._held += 1
        else:
            self._broken.append(text)
        mark = self._paint("32", "✓") if good else self._paint("31;1", "✗ NOT AS EXPECTED:")
        self.say(f"    {mark} {text}")

    def end(self, seconds: float) -> int:
        """The last line, and the exit status."""
        total = self._held + len(self._broken)
        self.say(f"\n{self._held} of {total} expectations held, in {seconds:.1f} s.")
        for text in self._broken:
            self.say(f"  not: {text}")
        return 1 if self._broken or not total else 0

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def masked(secret: str, shown: int = 12) -> str:
    return f"{secret[:shown]}…"


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT, to look at: nothing is verified."""
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        for part in token.split(".")[:2]
    )
    return header, claims


def until(found: Callable[[], bool], seconds: float) -> float | None:
    """After how many seconds it was so; None: not in this time."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) <= seconds:
        if found():
            return passed
        time.sleep(0.05)
    return None


def _end(process: subprocess.Popen[Any]) -> None:
    """Whoever of its group has not gone by now."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
