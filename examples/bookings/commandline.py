"""The server's own command line, `flask …`, in this process: Python starts once, not every time."""

from __future__ import annotations

import json
import shlex
from typing import Any


class Refused(Exception):
    """A command ended with another status than 0; says which, and what it printed."""


class CommandLine:
    """Of the server in this checkout, set up by `KEYTURN_…` variables as ever."""

    def __init__(self) -> None:
        from wsgi import app  # here, because it reads the environment

        self._app = app

    def flask(self, *arguments: str) -> Any:
        """What `flask … --json` prints, read. Raises Refused."""
        with self._app.app_context():
            result = self._app.test_cli_runner().invoke(args=[*arguments, "--json"])
        if result.exit_code != 0:
            detail = result.stderr.strip() or repr(result.exception)
            raise Refused(f"flask {shlex.join(arguments)}: {detail}") from result.exception
        return json.loads(result.stdout)
