"""How an organization's API keys look, and how that is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.errors import Conflict, Invalid
from app.key_templates import key_template
from app.settings import Settings
from app.storage.models import OrganizationRow

MAX_FORMER = 16


def read_departures(
    settings: Settings, environments: Iterable[str], departures: Mapping[str, Any]
) -> dict[str, Any]:
    """Check what an organization wants otherwise. Raises Invalid, naming ``key_template``."""
    environments = tuple(environments)
    named = departures.get("environments")
    try:
        key_template(settings.key_prefix, environments, departures)
        if named and sorted(named) != sorted(environments):
            raise ValueError("environments: those of the organization, or none: []")
    except ValueError as error:
        raise Invalid(f"key_template: {error}", field="key_template") from None
    return dict(departures)


def retired(
    settings: Settings, row: OrganizationRow, departures: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The former templates of an organization whose template changes to this one: keys made by the
    present one live on. Raises Conflict."""
    present = key_template(settings.key_prefix, row.environments, row.key_template)
    following = key_template(settings.key_prefix, row.environments, departures)
    former = [one for one in row.former_key_templates if one != following.fields()]
    if present != following and present.fields() not in former:
        former = [present.fields(), *former]
    if len(former) > MAX_FORMER:
        raise Conflict(f"The template has changed {MAX_FORMER} times", field="key_template")
    return former


def example(settings: Settings, environments: Iterable[str], departures: Mapping[str, Any]) -> str:
    """A key that looks so, made by chance and held by nobody. Raises Invalid."""
    environments = tuple(environments)
    read_departures(settings, environments, departures)
    template = key_template(settings.key_prefix, environments, departures)
    return template.generate(template.environments[0] if template.environments else None)
