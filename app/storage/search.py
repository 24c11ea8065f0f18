"""Find by an index: by how a name begins, whatever its case, or by the whole id."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, String, func, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column, validates

FOLDED = String(100).with_variant(String(100, collation="C"), "postgresql")
"""A name as it is searched: in the order of its characters' numbers, on both kinds of database."""
_LAST = "\U0010ffff"


def folded(name: str) -> str:
    """A name as it is searched."""
    return name.casefold()[:100]


class Searchable:
    """A row that is found by its name: its table has an index that begins with whose it is, and
    goes on with ``search_name`` and the id."""

    search_name: Mapped[str | None] = mapped_column(FOLDED)
    """None: written by an older node, and not renamed since."""

    @validates("name")
    def _search_by_name(self, _name: str, value: str) -> str:
        self.search_name = folded(value)
        return value


def is_found(
    row: type[Any], id: InstrumentedAttribute[str], text: str, *whose: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Whether the row is what ``text`` says: its id, or how its name begins."""
    begins = folded(text)
    mine = select(id).where(*whose)
    by_name = mine.where(row.search_name >= begins, row.search_name < begins + _LAST)
    of_older = mine.where(row.search_name.is_(None), row.name.istartswith(text, autoescape=True))
    return id.in_(union_all(mine.where(id == text), by_name, of_older))


def looked_at_last(session: Session, column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """A column that many rows share, or that orders them, where other conditions find few.

    SQLite knows nothing of sizes: it would read every row of the organization, unless this stands
    behind a function. PostgreSQL counts, and must see the column itself.
    """
    if session.connection().dialect.name == "sqlite":
        return func.coalesce(column, "")
    return column.expression
