"""Audit events as they are read; they are written by the transaction and the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from app.ids import event_ids_from
from app.records import Event
from app.storage.models import AuditEventRow
from app.storage.search import looked_at_last


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events: every named field must fit. ``client.*`` is every type below ``client.``."""

    type: str | None = None
    actor_type: str | None = None
    actor_id: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    outcome: str | None = None
    reason: str | None = None
    ip: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""


BY_INDEX = ("actor_id", "target_id", "request_id")
"""Fields that single events are found by, however many others there are."""
EQUAL = (
    "actor_type", "actor_id", "target_type", "target_id", "outcome", "reason", "ip", "request_id"
)  # fmt: skip
"""Fields that must be just as they are named."""
_APART = 1_000_000
"""Microseconds: more than an id is ever away from its event's time, which it is by rounding and by
a microsecond for each event of the same transaction."""


def page(
    session: Session,
    organization_id: str | None,
    wanted: EventFilter,
    *,
    before: str | None,
    limit: int,
    least: str = "",
) -> list[Event]:
    """The next events, the youngest first, down to the id ``least``; of every organization where
    none is named."""
    row = AuditEventRow
    statement = _newest_first(session, select(row), organization_id, wanted, before)
    statement = statement.where(row.id >= least).limit(limit)
    if wanted.type is not None and wanted.type.endswith("*"):
        statement = statement.where(row.type.startswith(wanted.type[:-1], autoescape=True))
    elif wanted.type is not None:
        statement = statement.where(row.type == wanted.type)
    for name in EQUAL:
        if (value := getattr(wanted, name)) is not None:
            statement = statement.where(getattr(row, name) == value)
    if wanted.since is not None:
        statement = statement.where(row.time >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(row.time < wanted.until)
    return [_record(found) for found in session.scalars(statement)]


def horizon(
    session: Session,
    organization_id: str | None,
    wanted: EventFilter,
    *,
    before: str | None,
    events: int,
) -> str | None:
    """The id so many events further down, counting those that do not fit; None: there are fewer.
    What no index finds is looked for so far and no further."""
    row = AuditEventRow
    statement = _newest_first(session, select(row.id), organization_id, wanted, before)
    found: str | None = session.scalar(statement.offset(events).limit(1))
    return found


def _newest_first(
    session: Session,
    statement: Select[Any],
    organization_id: str | None,
    wanted: EventFilter,
    before: str | None,
) -> Select[Any]:
    """Whose, and of what time: what the order of ids itself answers."""
    row = AuditEventRow
    statement = statement.order_by(row.id.desc())
    if organization_id is not None:
        whose: ColumnElement[Any] = row.organization_id.expression
        if wanted.request_id is not None:
            whose = looked_at_last(session, row.organization_id)
        statement = statement.where(whose == organization_id)
    if before is not None:
        statement = statement.where(row.id < before)
    if wanted.since is not None:
        statement = statement.where(row.id >= event_ids_from(wanted.since, -_APART))
    if wanted.until is not None:
        statement = statement.where(row.id < event_ids_from(wanted.until, _APART))
    return statement


def happened(session: Session, organization_id: str, type: str, target_id: str) -> bool:
    """Whether this was done once: what was deleted may be deleted again without an error."""
    statement = select(AuditEventRow.id).where(
        AuditEventRow.target_id == target_id,
        AuditEventRow.organization_id == organization_id,
        AuditEventRow.type == type,
    )
    return session.scalar(statement.limit(1)) is not None


def _record(row: AuditEventRow) -> Event:
    return Event(**{name: getattr(row, name) for name in Event.__dataclass_fields__})
