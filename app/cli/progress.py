"""How far long work is: bars on standard error where that is a terminal, else nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

OFTEN = 1000
"""Entries between two looks at the clock."""


@contextmanager
def progress(totals: Mapping[str, int | None]) -> Iterator[Callable[[str, int], None]]:
    """A bar for each name; call what is given with a name and how many more are done. A total of
    None is not known beforehand, nor is that of a name that was not named."""
    if not sys.stderr.isatty():
        yield lambda name, more: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:>16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {name: bars.add_task(name, total=total) for name, total in totals.items()}

        def done(name: str, more: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=None)
            bars.advance(tasks[name], more)

        yield done


@contextmanager
def tables() -> Iterator[Callable[[str, int], None]]:
    """The same for work that says of each table how many of its rows are done."""
    known: dict[str, int] = {}
    with progress({}) as done:

        def reached(table: str, rows: int) -> None:
            done(table, rows - known.get(table, 0))
            known[table] = rows

        yield reached


def counted(entries: Iterable[T], name: str, total: int | None = None) -> Iterator[T]:
    """The entries, with a bar that counts them."""
    with progress({name: total}) as done:
        number = 0
        for number, entry in enumerate(entries, 1):
            if number % OFTEN == 0:
                done(name, OFTEN)
            yield entry
        done(name, number % OFTEN)
