"""API keys in the database, each looked up by id and organization."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from app.records import ACTIVE, EXPIRED, ROTATED
from app.storage.models import ApiKeyRow


def get(
    session: Session, organization_id: str, key_id: str, *, lock: bool = False
) -> ApiKeyRow | None:
    """One key of this organization."""
    statement = select(ApiKeyRow).where(
        ApiKeyRow.id == key_id, ApiKeyRow.organization_id == organization_id
    )
    return session.scalar(statement.with_for_update() if lock else statement)


def by_digest(session: Session, digest: bytes, *, lock: bool = False) -> ApiKeyRow | None:
    """The key with this SHA-256: whoever knows the key."""
    statement = select(ApiKeyRow).where(ApiKeyRow.digest == digest)
    return session.scalar(statement.with_for_update() if lock else statement)


def page(
    session: Session,
    organization_id: str,
    *,
    now: datetime,
    before: str | None,
    limit: int,
    status: str | None = None,
    environment: str | None = None,
    kind: str | None = None,
    created_by: str | None = None,
) -> list[ApiKeyRow]:
    """The next ones of this organization, the youngest first."""
    statement = (
        select(ApiKeyRow)
        .where(ApiKeyRow.organization_id == organization_id)
        .order_by(ApiKeyRow.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(ApiKeyRow.id < before)
    if status is not None:
        statement = statement.where(_has_status(status, now))
    if environment is not None:
        statement = statement.where(ApiKeyRow.environment == environment)
    if kind is not None:
        statement = statement.where(ApiKeyRow.kind == kind)
    if created_by is not None:
        statement = statement.where(ApiKeyRow.created_by == created_by)
    return list(session.scalars(statement))


def _has_status(status: str, now: datetime) -> ColumnElement[bool]:
    """The status at this moment; ``expired`` and the end of a grace are never written."""
    over = and_(ApiKeyRow.status == ACTIVE, ApiKeyRow.expires_at <= now)
    if status == ACTIVE:
        return and_(
            ApiKeyRow.status == ACTIVE,
            or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now),
        )
    if status == EXPIRED:
        return and_(over, ApiKeyRow.rotated_to.is_(None))
    if status == ROTATED:
        return or_(ApiKeyRow.status == ROTATED, and_(over, ApiKeyRow.rotated_to.is_not(None)))
    return ApiKeyRow.status == status


def count_active(session: Session, organization_id: str, now: datetime) -> int:
    """Keys that count against the plan: a predecessor in its grace does not (S2-11)."""
    return (
        session.scalar(
            select(func.count())
            .select_from(ApiKeyRow)
            .where(
                ApiKeyRow.organization_id == organization_id,
                _has_status(ACTIVE, now),
                ApiKeyRow.rotated_to.is_(None),
            )
        )
        or 0
    )


def claim_succession(
    session: Session,
    organization_id: str,
    key_id: str,
    *,
    successor: str,
    status: str,
    expires_at: datetime | None,
    now: datetime,
) -> bool:
    """Make ``successor`` the one that follows this key; False when it has one or is not active."""
    claimed = session.execute(
        update(ApiKeyRow)
        .where(
            ApiKeyRow.id == key_id,
            ApiKeyRow.organization_id == organization_id,
            ApiKeyRow.rotated_to.is_(None),
            _has_status(ACTIVE, now),
        )
        .values(rotated_to=successor, status=status, expires_at=expires_at, updated_at=now)
        .returning(ApiKeyRow.id)
        .execution_options(synchronize_session=False)
    )
    return claimed.scalar_one_or_none() is not None
