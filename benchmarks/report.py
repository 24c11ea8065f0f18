"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Aligned columns: the first to the left, figures to the right; long heads break into words."""
    broken = [head.split() if at else [head] for at, head in enumerate(heads)]
    depth = max(map(len, broken))
    top = [
        [words[row - depth + len(words)] if row >= depth - len(words) else "" for words in broken]
        for row in range(depth)
    ]
    cells = [*top, *lines]
    widths = [max(len(row[at]) for row in cells) for at in range(len(heads))]
    printed = []
    for row in cells:
        first, *figures = (cell for cell in row)
        padded = [figure.rjust(width) for figure, width in zip(figures, widths[1:], strict=True)]
        printed.append("  ".join([first.ljust(widths[0]), *padded]).rstrip())
    printed.insert(depth, "-" * max(map(len, printed)))
    return "\n".join(printed)
