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

from examples.bookings.commandline import CommandLine, Refused

CATALOGUE = Path(__file__).with_name("catalogue.json")
NAMED_BY = {"scope": "name", "preset": "name", "resource": "identifier"}


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


def declare(line: CommandLine, org: str | None = None) -> Iterator[tuple[str, str, bool]]:
    """Kind and name of each thing, and whether it was missing. Raises Refused."""
    whose = ["--org", org] if org else []
    there = {
        (kind, one[name])
        for kind, name in NAMED_BY.items()
        for one in line.flask(kind, "list", "--limit", "200", *whose)["data"]
    }
    for kind, name, arguments in commands(read_catalogue()):
        missing = (kind, name) not in there
        if missing:
            line.flask(*arguments, *whose)
        yield kind, name, missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--org", help="the organization; default: the operator organization")
    parser.add_argument("--print", action="store_true", help="only print the commands")
    options = parser.parse_args()
    if options.print:
        whose = ["--org", options.org] if options.org else []
        for _, _, arguments in commands(read_catalogue()):
            print(shlex.join(["flask", *arguments, *whose]))
        return
    try:
        for kind, name, missing in declare(CommandLine(), options.org):
            print(f"{'declared' if missing else 'is there'}  {kind:<8}  {name}")
    except Refused as refusal:
        raise SystemExit(str(refusal)) from None


if __name__ == "__main__":
    main()
