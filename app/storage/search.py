"""Find by name: what begins so, whatever its case, by an index; or by the whole id."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, String, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

FOLDED = String(100).with_variant(String(100, collation="C"), "postgresql")
"""A name as it is searched: in the order of its characters' numbers, on both kinds of database."""
_LAST = "\U0010ffff"


def folded(name: str) -> str:
    """A name as it is searched."""
    return name.casefold()[:100]


def is_found(
    row: type[Any], id: InstrumentedAttribute[str], organization_id: str, text: str
) -> ColumnElement[bool]:
    """Whether the row is what ``text`` says: its id, or how its name begins."""
    begins = folded(text)
    mine = select(id).where(row.organization_id == organization_id)
    by_name = mine.where(row.search_name >= begins, row.search_name < begins + _LAST)
    return id.in_(union_all(mine.where(id == text), by_name))
