"""Declare the scopes, presets and resource of `catalogue.json` at the server; safe to repeat.

python -m examples.bookings.declare [--org ORG]     in the server's checkout and environment
python -m examples.bookings.declare --print         only print the commands
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).with_name("catalogue.json")


def read_catalogue() -> dict[str, Any]:
    catalogue: dict[str, Any] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return catalogue


def commands(catalogue: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Kind and name of each thing, and the arguments of `flask` that declare it, in order."""
    for scope in catalogue["scopes"]:
        line = ["scope", "add", scope["name"], "--description", scope["description"]]
        for implied in scope.get("implies", ()):
            line += ["--implies", implied]
        yield "scope", scope["name"], line + ["--public"] * scope.get("public", False)
    for preset in catalogue["presets"]:
        line = ["preset", "create", preset["name"], "--scope", " ".join(preset["scopes"])]
        yield "preset", preset["name"], [*line, "--description", preset["description"]]
    api = catalogue["resource"]
    line = ["resource", "create", api["identifier"], "--scope", " ".join(api["scopes"])]
    yield "resource", api["identifier"], [*line, "--name", api["name"]]


class Server:
    """The server's command line, in this process: one start instead of one for each command."""

    def __init__(self, org: str | None) -> None:
        from wsgi import app  # the server in this checkout, as the environment sets it up

        self._runner = app.test_cli_runner()
        self._org = ["--org", org] if org else []

    def flask(self, *arguments: str) -> str:
        result = self._runner.invoke(args=[*arguments, *self._org])
        if result.exit_code != 0:
            raise SystemExit(f"flask {shlex.join(arguments)}\n{result.stderr or result.output}")
        return result.stdout

    def names(self, kind: str, name: str) -> set[str]:
        """What is there already."""
        listed = json.loads(self.flask(kind, "list", "--limit", "200", "--json"))
        return {one[name] for one in listed["data"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--org", help="the organization; default: the operator organization")
    parser.add_argument("--print", action="store_true", help="only print the commands")
    options = parser.parse_args()
    wanted = list(commands(read_catalogue()))
    if options.print:
        org = ["--org", options.org] if options.org else []
        for _, _, line in wanted:
            print(shlex.join(["flask", *line, *org]))
        return
    server = Server(options.org)
    there = {kind: server.names(kind, "name") for kind in ("scope", "preset")}
    there["resource"] = server.names("resource", "identifier")
    for kind, name, line in wanted:
        if name not in there[kind]:
            server.flask(*line)
        print(f"{'is there' if name in there[kind] else 'declared'}  {kind:<8}  {name}")


if __name__ == "__main__":
    main()
