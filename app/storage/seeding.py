"""Copies of a client and of a key, many at once (``app.apikeys.seeding``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, Table, func, insert, select
from sqlalchemy.engine import Connection

from app.records import ACTIVE, REVOKED
from app.storage import statuses
from app.storage.models import ApiKeyRow, ClientRow, ClientSecretRow
from keyturn.status_list import INVALID, SUSPENDED, VALID

CLIENTS: Table = ClientRow.__table__  # type: ignore[assignment]
SECRETS: Table = ClientSecretRow.__table__  # type: ignore[assignment]
KEYS: Table = ApiKeyRow.__table__  # type: ignore[assignment]

Row = Mapping[str, Any]
Rows = tuple[tuple[tuple[Table, Row], ...], tuple[Row, ...]]
"""What is written of one credential: rows by their table, and its places in the status lists."""


def clients(connection: Connection, organization_id: str, most: int) -> int:
    """How many clients an organization has; counted up to ``most``."""
    some = select(CLIENTS.c.client_id).where(CLIENTS.c.organization_id == organization_id)
    return connection.scalar(select(func.count()).select_from(some.limit(most).subquery())) or 0


def client_model(connection: Connection, client_id: str) -> tuple[Row, Row]:
    """A client and its secret, to be copied."""
    client = select(CLIENTS).where(CLIENTS.c.client_id == client_id)
    secret = select(SECRETS).where(SECRETS.c.client_id == client_id)
    return _one(connection, client), _one(connection, secret)


def key_model(connection: Connection, key_id: str) -> Row:
    """A key, to be copied."""
    return _one(connection, select(KEYS).where(KEYS.c.id == key_id))


def _one(connection: Connection, statement: Select[Any]) -> Row:
    return dict(connection.execute(statement).mappings().one())


def client_rows(client: Row, secret: Row) -> Rows:
    """A client with one secret."""
    status = VALID if client["status"] == ACTIVE else SUSPENDED
    owner = {"owner_id": client["client_id"], "organization_id": client["organization_id"]}
    return ((CLIENTS, client), (SECRETS, secret)), (
        {"kind": statuses.CLIENT, "subject_id": client["client_id"], "status": status, **owner},
        {"kind": statuses.CLIENT_SECRET, "subject_id": secret["id"], "status": status, **owner},
    )


def key_rows(key: Row) -> Rows:
    """A key."""
    status = {ACTIVE: VALID, REVOKED: INVALID}.get(key["status"], SUSPENDED)
    place = {
        "kind": statuses.API_KEY,
        "subject_id": key["id"],
        "owner_id": key["id"],
        "organization_id": key["organization_id"],
        "status": status,
    }
    return ((KEYS, key),), (place,)


def write(connection: Connection, credentials: Iterable[Rows]) -> None:
    """Write all of them."""
    by_table: dict[Table, list[Row]] = {}
    places: list[Row] = []
    for rows, its_places in credentials:
        places += its_places
        for table, row in rows:
            by_table.setdefault(table, []).append(row)
    for table, rows_of in by_table.items():
        connection.execute(insert(table), rows_of)
    statuses.allocate_many(connection, places)
