"""How API keys look here: the installation's template, and an organization's departures from it."""

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
    values = {"prefix": prefix, "environments": environments, **departures}
    return KeyTemplate(**values | {"environments": tuple(values["environments"])})
