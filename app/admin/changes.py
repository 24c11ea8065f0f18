"""Partial changes: what was not named stays as it is, which is not the same as None."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Unset(Enum):
    """The type of ``UNSET``."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET


def named(changes: DataclassInstance) -> dict[str, Any]:
    """The fields that were named, with their new values."""
    values = {one.name: getattr(changes, one.name) for one in fields(changes)}
    return {name: value for name, value in values.items() if value is not UNSET}
