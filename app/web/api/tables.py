"""Tables as CSV (RFC 4180), read by spreadsheets as text and nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def row(cells: Iterable[object]) -> str:
    """A line. What a spreadsheet would take for a formula gets an apostrophe in front: an event
    holds what strangers send, and whoever opens the file would run it."""
    text = io.StringIO()
    csv.writer(text).writerow(map(_cell, cells))
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULAS):
        return f"'{value}"
    return value
