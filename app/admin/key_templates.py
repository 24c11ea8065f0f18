"""How an organization's API keys and client secrets look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.errors import Invalid
from app.key_templates import key_template
from app.settings import Settings
from keyturn.apikey import KeyTemplate

_DEPARTURES: Mapping[str, type] = {
    "prefix": str,
    "environments": list,
    "alphabet": str,
    "length": int,
    "checksum": str,
    "checksum_length": int,
}


def secret_template(settings: Settings, environments: Iterable[str]) -> KeyTemplate:
    """Client secrets: the API keys' prefix with an ``s`` behind it."""
    return KeyTemplate(prefix=f"{settings.key_prefix}s", environments=tuple(environments))


def read_departures(
    settings: Settings, environments: Iterable[str], departures: Mapping[str, Any]
) -> dict[str, Any]:
    """Check what an organization wants otherwise. Raises Invalid, naming ``key_template``."""
    environments = tuple(environments)
    for name, value in departures.items():
        if name not in _DEPARTURES:
            raise Invalid(f"key_template has no field {name[:40]!r}", field="key_template")
        if not isinstance(value, _DEPARTURES[name]) or isinstance(value, bool):
            raise Invalid(f"key_template: {name} has the wrong type", field="key_template")
    named = departures.get("environments")
    if named and sorted(map(str, named)) != sorted(environments):
        raise Invalid(
            "key_template: environments are the organization's, or none: []", field="key_template"
        )
    try:
        key_template(settings.key_prefix, environments, departures)
    except ValueError as error:
        raise Invalid(f"key_template: {error}", field="key_template") from None
    return dict(departures)
