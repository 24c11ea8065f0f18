"""How pages say things: instants as people read them, with the exact one beside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Flask
from markupsafe import Markup

_UNITS = (
    ("year", timedelta(days=365)),
    ("month", timedelta(days=30)),
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
)


def register(app: Flask) -> None:
    """Known to every template of the dashboard."""
    app.jinja_env.filters["when"] = when
    app.jinja_env.filters["span"] = span
    app.jinja_env.filters["with_code"] = with_code


def when(instant: datetime | None, never: str = "never") -> Markup:
    """Relative, with the exact instant as title: «3 days ago», «in 2 hours»."""
    if instant is None:
        return Markup('<span class="text-body-secondary">{}</span>').format(never)
    exact = instant.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        f"{exact:%Y-%m-%dT%H:%M:%SZ}",
        f"{exact:%Y-%m-%d %H:%M:%S}",
        relative(exact, datetime.now(UTC)),
    )


def relative(instant: datetime, now: datetime) -> str:
    """How far away it is."""
    away = abs(instant - now)
    if away < timedelta(minutes=1):
        return "just now" if instant <= now else "in a moment"
    # What was said to end in 30 days ends «in 30 days», a moment later too.
    return f"in {span(away + _UNITS[-1][1])}" if instant > now else f"{span(away)} ago"


def with_code(text: str) -> Markup:
    """A sentence in which what stands between backticks is code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def span(away: timedelta) -> str:
    """The largest unit of a duration: «3 days»."""
    for name, unit in _UNITS:
        if away >= unit:
            number = away // unit
            return f"{number} {name}{'' if number == 1 else 's'}"
    return "less than a minute"
