"""Single requests: written in batches, read the youngest first, forgotten by age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from app.ids import record_ids_from, record_time
from app.records import RequestRecord
from app.storage.models import RequestRecordRow
from app.storage.search import looked_at_last
from app.storage.store import Store

RECORDS: Table = RequestRecordRow.__table__  # type: ignore[assignment]
AT_ONCE = timedelta(hours=1)
"""Whose records one statement removes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """Which requests: every named field must fit."""

    credential_id: str | None = None
    method: str | None = None
    route: str | None = None
    status: int | None = None
    ip: str | None = None
    request_id: str | None = None
    outcome: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""


EQUAL = (
    "credential_id", "method", "route", "status", "ip", "request_id", "outcome", "reason"
)  # fmt: skip
"""Fields that must be just as they are named."""


def add(connection: Connection, records: Sequence[RequestRecord]) -> None:
    """Write them down."""
    if records:
        connection.execute(insert(RECORDS), [asdict(one) for one in records])


def page(
    session: Session,
    organization_id: str,
    wanted: RequestFilter,
    *,
    before: str | None,
    limit: int,
) -> list[RequestRecord]:
    """The next requests, the youngest first."""
    row = RequestRecordRow
    whose: ColumnElement[Any] = row.organization_id.expression
    order: ColumnElement[Any] = row.id.expression
    if wanted.credential_id is not None:
        whose = looked_at_last(session, row.organization_id)
    elif wanted.request_id is not None:
        order = looked_at_last(session, row.id)
    statement = select(row).where(whose == organization_id)
    for name in EQUAL:
        if (value := getattr(wanted, name)) is not None:
            statement = statement.where(getattr(row, name) == value)
    # Ids say the time: both indices end with them, so no period is searched through.
    if wanted.since is not None:
        statement = statement.where(row.id >= record_ids_from(wanted.since))
    if wanted.until is not None:
        statement = statement.where(row.id < record_ids_from(wanted.until))
    if before is not None:
        statement = statement.where(row.id < before)
    found = session.scalars(statement.order_by(order.desc()).limit(limit))
    return [
        RequestRecord(**{name: getattr(one, name) for name in RequestRecord.__dataclass_fields__})
        for one in found
    ]


def forget(store: Store, before: datetime) -> None:
    """Remove what was before then, an hour at a time."""
    while True:
        with store.begin() as connection:
            first = connection.scalar(select(func.min(RECORDS.c.id)))
            if first is None or first >= record_ids_from(before):
                return
            end = min(before, record_time(first) + AT_ONCE)
            connection.execute(delete(RECORDS).where(RECORDS.c.id < record_ids_from(end)))
