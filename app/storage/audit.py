"""Audit events as they are read; they are written by the transaction and the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.records import Event
from app.storage.models import AuditEventRow


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


EQUAL = (
    "actor_type", "actor_id", "target_type", "target_id", "outcome", "reason", "ip", "request_id"
)  # fmt: skip
"""Fields that must be just as they are named."""


def page(
    session: Session,
    organization_id: str | None,
    wanted: EventFilter,
    *,
    before: str | None,
    limit: int,
) -> list[Event]:
    """The next events, the youngest first; of every organization where none is named."""
    row = AuditEventRow
    statement = select(row).order_by(row.id.desc()).limit(limit)
    if organization_id is not None:
        statement = statement.where(row.organization_id == organization_id)
    if before is not None:
        statement = statement.where(row.id < before)
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
