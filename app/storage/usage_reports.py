"""Reports of verifiers: whose credentials they name, and that each counts once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Table, delete, literal, select, union_all
from sqlalchemy.engine import Connection

from app.records import RequestRecord
from app.storage import request_records, usage
from app.storage.models import ApiKeyRow, ClientRow, UsageReportRow
from app.storage.shipping import LANE
from app.storage.store import Store
from app.storage.upsert import upsert
from app.storage.uses import Uses

REPORTS: Table = UsageReportRow.__table__  # type: ignore[assignment]


class Owned(NamedTuple):
    """What a credential is, and whose."""

    credential_type: str
    organization_id: str


class Taken(NamedTuple):
    """How many entries of a report were counted, and how many not."""

    accepted: int
    ignored: int


def owners(connection: Connection, ids: Collection[str]) -> dict[str, Owned]:
    """Of the clients and API keys with these ids."""
    client, key = ClientRow, ApiKeyRow
    found = connection.execute(
        union_all(
            select(client.client_id, literal("client"), client.organization_id).where(
                client.client_id.in_(ids)
            ),
            select(key.id, literal("api_key"), key.organization_id).where(key.id.in_(ids)),
        )
    )
    return {id: Owned(type, organization_id) for id, type, organization_id in found}


def take(
    connection: Connection,
    reporter_id: str,
    report_id: str,
    uses: Uses,
    requests: Sequence[RequestRecord],
    taken: Taken,
    now: datetime,
) -> Taken:
    """Write it down, unless that was done before: then the answer is the one that was given."""
    name = {"reporter_id": reporter_id, "id": report_id}
    usage.hold(connection, uses, LANE)
    written = connection.execute(
        upsert(connection, REPORTS)
        .values(**name, received_at=now, **taken._asdict())
        .on_conflict_do_nothing()
    )
    if written.rowcount:
        usage.add(connection, uses, LANE)
        request_records.add(connection, requests)
        return taken
    columns = REPORTS.c
    known = select(columns.accepted, columns.ignored).where(
        columns.reporter_id == reporter_id, columns.id == report_id
    )
    return Taken(*connection.execute(known).one())


def forget(store: Store, before: datetime) -> None:
    """Remove what was received before then, and cannot be repeated any more."""
    with store.begin() as connection:
        connection.execute(delete(REPORTS).where(REPORTS.c.received_at < before))
