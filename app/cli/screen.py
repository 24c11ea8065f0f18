"""Tables for people: on a terminal, in its width, in colour unless ``NO_COLOR`` says otherwise.

What a colour says is said in words as well. Where the output goes into a file or another program,
``terminal`` prints plain text instead. rich is imported when it is needed: a server never is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {
    "active": "green",
    "current": "green",
    "ok": "green",
    "success": "green",
    "disabled": "yellow",
    "expired": "yellow",
    "rotated": "yellow",
    "suspended": "yellow",
    "limited": "yellow",
    "revoked": "red",
    "refused": "red",
    "BLOCKS": "bold red",
}


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Cells that do not fit are folded, never cut: ids are there to be copied."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*map(_cell, row))
    Console(highlight=False).print(table)


def show_fields(fields: Mapping[str, str]) -> None:
    """A line for each field, its name beside it."""
    from rich.console import Console
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, value in fields.items():
        grid.add_row(name, _cell(value))
    Console(highlight=False).print(grid)


def _cell(text: str) -> Text:
    from rich.text import Text

    return Text(text, style=_STYLES.get(text, ""))  # as it is: brackets are no markup
