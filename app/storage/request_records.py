"""Single requests: written in batches, read the youngest first, forgotten by age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, func, insert, select
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
BY_INDEX = ("credential_id", "request_id")
"""Those that single requests are found by, however many others there are."""


def add(connection: Connection, records: Sequence[RequestRecord]) -> None:
    """Write them down."""
    if records:
        connection.execute(insert(RECORDS), [asdict(one) for one in records])


def is_search(wanted: RequestFilter) -> bool:
    """Whether no index finds what fits."""
    named = {name for name in EQUAL if getattr(wanted, name) is not None}
    return bool(named) and not named & set(BY_INDEX)


def page(
    session: Session,
    organization_id: str,
    wanted: RequestFilter,
    *,
    before: str | None,
    limit: int,
    least: str | None = None,
) -> list[RequestRecord]:
    """The next requests, the youngest first, down to the id ``least``."""
    row = RequestRecordRow
    statement = _newest_first(session, select(row), organization_id, wanted, before)
    if least is not None:
        statement = statement.where(row.id >= least)
    for name in EQUAL:
        if (value := getattr(wanted, name)) is not None:
            statement = statement.where(getattr(row, name) == value)
    return [
        RequestRecord(**{name: getattr(one, name) for name in RequestRecord.__dataclass_fields__})
        for one in session.scalars(statement.limit(limit))
    ]


def horizon(
    session: Session,
    organization_id: str,
    wanted: RequestFilter,
    *,
    before: str | None,
    requests: int,
) -> str | None:
    """The id so many requests further down, whether they fit or not; None: there are fewer."""
    ids = select(RequestRecordRow.id)
    statement = _newest_first(session, ids, organization_id, wanted, before)
    found: str | None = session.scalar(statement.offset(requests).limit(1))
    return found


def _newest_first(
    session: Session,
    statement: Select[Any],
    organization_id: str,
    wanted: RequestFilter,
    before: str | None,
) -> Select[Any]:
    """Whose, and of what time. Ids say the time, so no period is searched through."""
    row = RequestRecordRow
    whose: ColumnElement[Any] = row.organization_id.expression
    order: ColumnElement[Any] = row.id.expression
    if wanted.credential_id is not None:
        whose = looked_at_last(session, row.organization_id)
    elif wanted.request_id is not None:
        order = looked_at_last(session, row.id)
    statement = statement.where(whose == organization_id).order_by(order.desc())
    if wanted.since is not None:
        statement = statement.where(row.id >= record_ids_from(wanted.since))
    if wanted.until is not None:
        statement = statement.where(row.id < record_ids_from(wanted.until))
    if before is not None:
        statement = statement.where(row.id < before)
    return statement


def forget(store: Store, before: datetime) -> None:
    """Remove what was before then, an hour at a time."""
    while True:
        with store.begin() as connection:
            first = connection.scalar(select(func.min(RECORDS.c.id)))
            if first is None or first >= record_ids_from(before):
                return
            end = min(before, record_time(first) + AT_ONCE)
            connection.execute(delete(RECORDS).where(RECORDS.c.id < record_ids_from(end)))
