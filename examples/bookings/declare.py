"""Declare the scopes, presets and resource of `catalogue.json` at the server; safe to repeat.

python -m examples.bookings.declare [--org ORG]        in the server's checkout and environment
python -m examples.bookings.declare --product NAME     an organization as `products.json` has it
python -m examples.bookings.declare --print            only print the commands
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from examples.bookings.commandline import CommandLine, Refused

CATALOGUE = Path(__file__).with_name("catalogue.json")
PRODUCTS = Path(__file__).with_name("products.json")
NAMED_BY = {"scope": "name", "preset": "name", "resource": "identifier"}


def read_catalogue() -> dict[str, Any]:
    catalogue: dict[str, Any] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return catalogue


def read_products() -> dict[str, dict[str, Any]]:
    """How five booking products present themselves: key template, profile, environments, plans."""
    products: dict[str, dict[str, Any]] = json.loads(PRODUCTS.read_text(encoding="utf-8"))
    return products


def environ_of(product: dict[str, Any]) -> dict[str, str]:
    """What the API is told of a product, beside the issuer and its credentials."""
    # None where keys were imported: of those no form is known, and the issuer is asked of any text.
    templates = product.get("key_templates", [product["key_template"]])
    return {"PROFILE": product["profile"], "KEY_TEMPLATES": json.dumps(templates)}


def found(line: CommandLine, name: str, product: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """The plans and the organization of a product, and whether each was missing."""
    there = {one["name"] for one in line.flask("plan", "list", "--limit", "200")["data"]}
    for plan, keys in product.get("plans", {}).items():
        if plan not in there:
            limits = [part for limit in product["rate_limits"] for part in ("--rate-limit", limit)]
            arguments = ["plan", "create", "--name", plan, "--max-active-keys", str(keys), *limits]
            line.flask(*arguments)
        yield "plan", plan, plan not in there
    there = {one["name"] for one in line.flask("org", "list", "--limit", "200")["data"]}
    if name not in there:
        arguments = ["org", "create", "--name", name, "--profile", product["profile"]]
        arguments += ["--key-template", json.dumps(product["key_template"])]
        for environment in product["environments"]:
            arguments += ["--environment", environment]
        for label, text in product["labels"].items():
            arguments += ["--label", f"{label}={text}"]
        line.flask(*arguments, *(["--plan", product["plan"]] if "plan" in product else []))
    yield "org", name, name not in there


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
    parser.add_argument("--product", choices=read_products(), help="found an organization for it")
    parser.add_argument("--print", action="store_true", help="only print the commands")
    options = parser.parse_args()
    if options.print:
        whose = ["--org", options.org] if options.org else []
        for _, _, arguments in commands(read_catalogue()):
            print(shlex.join(["flask", *arguments, *whose]))
        return
    try:
        line = CommandLine()
        made: Iterator[tuple[str, str, bool]] = iter(())
        if options.product:
            made = found(line, options.product, read_products()[options.product])
        for kind, name, missing in chain(made, declare(line, options.product or options.org)):
            print(f"{'declared' if missing else 'is there'}  {kind:<8}  {name}")
        if options.product:
            for variable, value in environ_of(read_products()[options.product]).items():
                print(f"{variable}={shlex.quote(value)}")
    except Refused as refusal:
        raise SystemExit(str(refusal)) from None


if __name__ == "__main__":
    main()
