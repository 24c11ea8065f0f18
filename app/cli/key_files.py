"""Files of keys of another system: JSON Lines, or CSV whose first line names the fields."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from app.apikeys.importing import ForeignKey
from app.apikeys.values import NewApiKey
from app.errors import Invalid

TEXTS = ("name", "description", "environment", "kind", "preset", "missing_origin", "browser_origin")
LISTS = ("scopes", "allowed_ips", "allowed_domains", "rate_limits")
SHOWN = ("key", "sha256", "prefix", "last_four")
FIELDS = (*SHOWN, *TEXTS, *LISTS, "expires_at")


def read_json_lines(file: Iterable[str]) -> Iterator[ForeignKey]:
    """One object a line; empty lines are skipped. Raises Invalid, naming the line."""
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                raise Invalid(f"line {number}: not JSON") from None
            if not isinstance(found, dict):
                raise Invalid(f"line {number}: not a JSON object")
            yield _entry(number, found)


def read_csv(file: Iterable[str]) -> Iterator[ForeignKey]:
    """A key a line; entries of a list are separated by blanks. Raises Invalid, naming the line."""
    lines = csv.DictReader(file, strict=True)
    try:
        for found in lines:
            if None in found or None in found.values():
                raise Invalid(f"line {lines.line_num}: not as many fields as the first line names")
            split = {name: one.split() if name in LISTS else one for name, one in found.items()}
            yield _entry(lines.line_num, {name: one for name, one in split.items() if one})
    except csv.Error:
        raise Invalid(f"line {lines.line_num}: not CSV") from None


FORMATS: Mapping[str, Callable[[Iterable[str]], Iterator[ForeignKey]]] = {
    "jsonl": read_json_lines,
    "csv": read_csv,
}


def _entry(number: int, found: Mapping[str, Any]) -> ForeignKey:
    place = f"line {number}"
    for name, value in found.items():
        if name not in FIELDS:
            raise Invalid(f"{place}: fields are {', '.join(FIELDS)}, and no others")
        if not _fits(name, value):
            raise Invalid(f"{place}: {name} is of the wrong type")
    said = {name: found[name] for name in (*TEXTS, *LISTS) if name in found}
    if "name" not in said:
        raise Invalid(f"{place}: name is missing")
    if "expires_at" in found:
        said["expires_at"] = _instant(place, found["expires_at"])
    shown = {name: found[name] for name in SHOWN if name in found}
    return ForeignKey(place=place, new=NewApiKey(**said), **shown)


def _fits(name: str, value: Any) -> bool:
    if name not in LISTS:
        return isinstance(value, str)
    kinds = (str, dict) if name == "rate_limits" else str
    return isinstance(value, list) and all(isinstance(one, kinds) for one in value)


def _instant(place: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{place}: expires_at must be an RFC 3339 time") from None
