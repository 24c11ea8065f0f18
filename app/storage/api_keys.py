"""API keys in the database, each looked up by id and organization."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, union_all, update
from sqlalchemy.orm import Session

from app.records import ACTIVE, DISABLED, EXPIRED, ROTATED
from app.storage.models import ApiKeyRow, AuditEventRow
from app.storage.search import is_found, looked_at_last

AT_ONCE = 500
"""Values in one statement."""


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


def by_digests(session: Session, digests: Sequence[bytes]) -> dict[bytes, ApiKeyRow]:
    """Those of the keys with these digests that there are, of whatever organization."""
    found: dict[bytes, ApiKeyRow] = {}
    for start in range(0, len(digests), AT_ONCE):
        some = ApiKeyRow.digest.in_(digests[start : start + AT_ONCE])
        found |= {row.digest: row for row in session.scalars(select(ApiKeyRow).where(some))}
    return found


def page(
    session: Session,
    organization_id: str,
    *,
    now: datetime,
    before: str | None,
    limit: int,
    status: str | None = None,
    search: str | None = None,
    unused_since: datetime | None = None,
    ageing: tuple[datetime, datetime] | None = None,
    **equal: str | None,
) -> Sequence[ApiKeyRow]:
    """The next ones of this organization, the youngest first.

    ``unused_since``: neither used nor made since then. ``ageing``: of those that a rotation is
    about, the ones made after the first of two instants, and not after the second.
    """
    key = ApiKeyRow
    mine = key.organization_id == organization_id
    statement = select(key).where(mine)
    if before is not None:
        statement = statement.where(key.id < before)
    if status is not None:
        statement = statement.where(_has_status(status, now))
    for name, value in equal.items():
        if value is not None:
            statement = statement.where(getattr(key, name) == value)
    if search is not None:
        statement = statement.where(is_found(key, key.id, search, mine))
    if unused_since is not None:
        statement = statement.where(_last_use() < unused_since)
    if ageing is not None:
        statement = statement.where(_stands_alone(now), *_made_within(*ageing))
    return session.scalars(statement.order_by(key.id.desc()).limit(limit)).all()


def _last_use() -> ColumnElement[datetime]:
    return func.coalesce(ApiKeyRow.last_used_at, ApiKeyRow.created_at)


def _stands_alone(now: datetime) -> ColumnElement[bool]:
    """Active, and not in the grace that a rotation left it."""
    return and_(_has_status(ACTIVE, now), ApiKeyRow.rotated_to.is_(None))


def _made_within(after: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    return ApiKeyRow.created_at > after, ApiKeyRow.created_at <= until


def _has_status(status: str, now: datetime) -> ColumnElement[bool]:
    """The status at this moment: ``expired`` and the end of a grace are written down later."""
    over = and_(ApiKeyRow.status == ACTIVE, ApiKeyRow.expires_at <= now)
    if status == ACTIVE:
        return and_(
            ApiKeyRow.status == ACTIVE,
            or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now),
        )
    if status == EXPIRED:
        return or_(ApiKeyRow.status == EXPIRED, and_(over, ApiKeyRow.rotated_to.is_(None)))
    if status == ROTATED:
        return or_(ApiKeyRow.status == ROTATED, and_(over, ApiKeyRow.rotated_to.is_not(None)))
    return ApiKeyRow.status == status


def count_active(session: Session, organization_id: str, now: datetime) -> int:
    """Keys that count against the plan: a predecessor in its grace does not (S2-11)."""
    return (
        session.scalar(
            select(func.count())
            .select_from(ApiKeyRow)
            .where(ApiKeyRow.organization_id == organization_id, _stands_alone(now))
        )
        or 0
    )


def claim_succession(
    session: Session,
    organization_id: str,
    key_id: str,
    *,
    statuses: Iterable[str],
    now: datetime,
    values: Mapping[str, Any],
) -> bool:
    """Set the ``values`` of a key that gets its successor by them; False when it has one already,
    or is in none of the statuses.
    """
    claimed = session.execute(
        update(ApiKeyRow)
        .where(
            ApiKeyRow.id == key_id,
            ApiKeyRow.organization_id == organization_id,
            ApiKeyRow.rotated_to.is_(None),
            or_(*(_has_status(status, now) for status in statuses)),
        )
        .values(updated_at=now, **values)
        .returning(ApiKeyRow.id)
        .execution_options(synchronize_session=False)
    )
    return claimed.scalar_one_or_none() is not None


def seen_by(
    session: Session,
    organization_id: str,
    person: str,
    now: datetime,
    *,
    after: str | None = None,
    most: int | None = None,
    lock: bool = False,
) -> Sequence[ApiKeyRow]:
    """Keys that can still be used, or enabled, and that this person made: as they are shown once,
    whoever made a key or its successor is all who have seen it. In one order.
    """
    key, event = ApiKeyRow, AuditEventRow
    mine = key.organization_id == organization_id
    made = select(event.target_id).where(
        event.organization_id == organization_id,
        event.type == "api_key.created",
        event.actor_id == person,
    )
    first = select(key.id).where(mine, key.created_by == person)
    statement = (
        select(key)
        .where(
            mine,
            key.id.in_(union_all(first, made)),
            or_(_has_status(ACTIVE, now), _has_status(DISABLED, now)),
        )
        .order_by(key.id)
        .limit(most)
    )
    if after is not None:
        statement = statement.where(looked_at_last(session, key.id) > after)
    return session.scalars(statement.with_for_update() if lock else statement).all()


def over(session: Session, now: datetime, limit: int) -> Sequence[ApiKeyRow]:
    """Keys whose time has come, and of which that is not written down yet."""
    statement = (
        select(ApiKeyRow)
        .where(ApiKeyRow.status == ACTIVE, ApiKeyRow.expires_at <= now)
        .order_by(ApiKeyRow.id)
        .limit(limit)
        .with_for_update()
    )
    return session.scalars(statement).all()


def ageing(
    session: Session,
    organization_id: str,
    *,
    now: datetime,
    event: str,
    made_until: datetime,
    limit: int,
) -> Sequence[ApiKeyRow]:
    """Keys made by then, and standing alone, of which there is no such event yet."""
    statement = select(ApiKeyRow).where(
        ApiKeyRow.organization_id == organization_id,
        _stands_alone(now),
        ApiKeyRow.created_at <= made_until,
        ~_told(event),
    )
    return session.scalars(statement.order_by(ApiKeyRow.id).limit(limit)).all()


def unused(
    session: Session,
    organization_id: str,
    *,
    now: datetime,
    since: datetime,
    limit: int,
    event: str | None = None,
) -> Sequence[ApiKeyRow]:
    """Active keys that nobody used or changed since then; with ``event`` those of which there has
    been no such event in this time. Locked.
    """
    statement = select(ApiKeyRow).where(
        ApiKeyRow.organization_id == organization_id,
        _has_status(ACTIVE, now),
        _last_use() <= since,
        ApiKeyRow.updated_at <= since,
    )
    if event is not None:
        statement = statement.where(~_told(event, _last_use()))
    locked = statement.order_by(ApiKeyRow.id).limit(limit).with_for_update()
    return session.scalars(locked).all()


def _told(event: str, after: ColumnElement[datetime] | None = None) -> ColumnElement[bool]:
    """Whether there is such an event of the key, after an instant."""
    conditions = [AuditEventRow.target_id == ApiKeyRow.id, AuditEventRow.type == event]
    if after is not None:
        conditions.append(AuditEventRow.time > after)
    return exists().where(*conditions)
