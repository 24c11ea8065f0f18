"""How API keys and client secrets look here, and an organization's departures from that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from keyturn.apikey import KeyTemplate


def key_template(
    prefix: str, environments: Iterable[str], departures: Mapping[str, Any]
) -> KeyTemplate:
    """The installation's prefix and the organization's environments, unless it says otherwise.

    Raises ValueError for a template whose keys could be guessed or misread.
    """
    return KeyTemplate.of({"prefix": prefix, "environments": list(environments), **departures})


def key_templates(
    prefix: str,
    environments: Iterable[str],
    departures: Mapping[str, Any],
    former: Iterable[Mapping[str, Any]],
) -> tuple[KeyTemplate, ...]:
    """How an organization's keys look, and how they looked before: a key outlives its template."""
    return (key_template(prefix, environments, departures), *map(KeyTemplate.of, former))


def secret_template(prefix: str, environments: Iterable[str]) -> KeyTemplate:
    """Client secrets: the API keys' prefix with an ``s`` behind it."""
    return KeyTemplate(prefix=f"{prefix}s", environments=tuple(environments))
