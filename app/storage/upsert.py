"""``INSERT … ON CONFLICT``, which SQLAlchemy has once for each database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from app.storage.models import Base


def upsert(connection: Connection, table: Table | type[Base]) -> Any:
    """An insert that can say what to do where the row is there already."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table)
