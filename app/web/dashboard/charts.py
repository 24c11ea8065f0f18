"""Charts as SVG, drawn here: readable without colour, and without the picture by the table that
stands beneath each (``_charts.html``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from app.admin.usage_totals import Total

WIDTH, HEIGHT = 720, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 4, 10, 26
LINES = 4
LABELS = 8
"""Of intervals, at most."""
SERIES = (
    ("accepted", "Accepted"),
    ("refused", "Refused"),
    ("limited", "Over a limit"),
)
PATTERNS = Markup(
    '<defs><pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><rect width="6" height="6" class="bar-refused-ground"/>'
    '<path d="M0 0V6" class="bar-refused-line"/></pattern>'
    '<pattern id="dotted" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<rect width="5" height="5" class="bar-limited-ground"/>'
    '<circle cx="2.5" cy="2.5" r="1.2" class="bar-limited-dot"/></pattern></defs>'
)


class Bar(NamedTuple):
    """One interval: what it is called, and its values in the order of ``SERIES``."""

    name: str
    values: tuple[int, int, int]


class Chart(NamedTuple):
    """A picture, and the same in numbers."""

    title: str
    picture: Markup
    bars: tuple[Bar, ...]
    interval: str

    @property
    def sums(self) -> tuple[int, ...]:
        """Of each series."""
        return _sums(self.bars)


def uses(title: str, totals: Sequence[Total], interval: str) -> Chart:
    """Stacked bars, one an interval (``hour`` or ``day``)."""
    written = "%H:%M" if interval == "hour" else "%d %b"
    bars = tuple(
        Bar(f"{one.bucket:{written}}", (one.accepted, one.refused, one.limited)) for one in totals
    )
    most = _round_number(max((sum(bar.values) for bar in bars), default=0))
    drawn = Markup("").join([PATTERNS, *_scale(most), *_bars(bars, most), *_names(bars)])
    picture = Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}: {}">{}</svg>'
    ).format(WIDTH, HEIGHT, title, _said(_sums(bars)), drawn)
    return Chart(title, picture, bars, interval)


def _sums(bars: Sequence[Bar]) -> tuple[int, ...]:
    return tuple(sum(bar.values[n] for bar in bars) for n in range(len(SERIES)))


def _said(values: Sequence[int]) -> str:
    """«accepted 3, refused 1, over a limit 0»."""
    return ", ".join(
        f"{label.lower()} {value}" for (_, label), value in zip(SERIES, values, strict=True)
    )


def _scale(most: int) -> Iterator[Markup]:
    for number in range(LINES + 1):
        y = _y(most * number / LINES, most)
        yield Markup('<path d="M{} {:.1f}H{}" class="grid"/>').format(LEFT, y, WIDTH - RIGHT)
        yield Markup('<text x="{}" y="{:.1f}" class="tick" text-anchor="end">{}</text>').format(
            LEFT - 8, y + 4, _short(most * number / LINES)
        )


def _bars(bars: Sequence[Bar], most: int) -> Iterator[Markup]:
    rect = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="bar-{}"/>')
    step = _step(bars)
    for place, bar in enumerate(bars):
        parts, below = [], 0
        for (series, _), value in zip(SERIES, bar.values, strict=True):
            top, foot = _y(below + value, most), _y(below, most)
            if value:
                left = LEFT + (place + 0.15) * step
                parts.append(rect.format(left, top, step * 0.7, foot - top, series))
            below += value
        yield Markup("<g><title>{}: {}</title>{}</g>").format(
            bar.name, _said(bar.values), Markup("").join(parts)
        )


def _names(bars: Sequence[Bar]) -> Iterator[Markup]:
    text = Markup('<text x="{:.1f}" y="{}" class="tick" text-anchor="middle">{}</text>')
    every = -(-len(bars) // LABELS)
    for place, bar in enumerate(bars):
        if place % every == 0:
            yield text.format(LEFT + (place + 0.5) * _step(bars), HEIGHT - 6, bar.name)


def _step(bars: Sequence[Bar]) -> float:
    return (WIDTH - LEFT - RIGHT) / max(len(bars), 1)


def _y(value: float, most: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most


def _round_number(value: int) -> int:
    """At least this, and a number that four lines divide well."""
    size = LINES
    while size < value:
        for factor in (2, 5, 10):
            if size * factor >= value:
                return size * factor
        size *= 10
    return size


def _short(value: float) -> str:
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
