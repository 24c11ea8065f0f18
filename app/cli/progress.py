"""How far long work is: bars on standard error where that is a terminal, else nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(totals: Mapping[str, int | None]) -> Iterator[Callable[[str, int], None]]:
    """A bar for each name; call what is given with a name and how many more are done. A total of
    None is not known beforehand."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:>12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {name: bars.add_task(name, total=total) for name, total in totals.items()}
        yield lambda name, more: bars.advance(tasks[name], more)
