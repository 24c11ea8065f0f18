"""The environment variable in which people keep an organization's API key (S0-9)."""

from __future__ import annotations

import re

from app.errors import Invalid
from app.storage.models import OrganizationRow

MAX_VARIABLE = 64
MAX_LETTERS = 50
"""Of a name, in its variable."""
SETTING = "key_variable"

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")


def key_variable(owner: OrganizationRow) -> str:
    """As the organization has it, or made of its name: ``EXPERIENCELOCAL_API_KEY``."""
    chosen: str | None = owner.settings.get(SETTING)
    if chosen is not None:
        return chosen
    letters = re.sub(r"[^A-Z0-9]", "", owner.name.upper())[:MAX_LETTERS]
    if not letters:
        return "API_KEY"
    return f"{'_' if letters[0].isdigit() else ''}{letters}_API_KEY"


def read_variable(name: str) -> str:
    """A name that every shell takes. Raises Invalid."""
    if not _VARIABLE.fullmatch(name):
        raise Invalid(
            f"{SETTING} must have 1 to {MAX_VARIABLE} capital letters, digits or '_', "
            "the first no digit",
            field=SETTING,
        )
    return name
