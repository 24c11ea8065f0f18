"""Usage as it is read: counts, networks and scopes of an organization's credentials."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Row,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session

from app.records import LIMITED
from app.storage.models import (
    ApiKeyRow,
    ClientRow,
    UsageCountRow,
    UsageNetworkRow,
    UsageScopeRow,
)

HOUR, DAY = 1, 24
"""Hours of an interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFilter:
    """Which counts: every named field must fit."""

    credential_id: str | None = None
    route_class: str | None = None
    outcome: str | None = None
    first_hour: int | None = None
    end_hour: int | None = None
    """Not included."""


def counts(
    session: Session,
    organization_id: str,
    wanted: CountFilter,
    *,
    interval: int,
    after: tuple[int, str, str, str] | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """The next counts, the youngest first: ``bucket`` (in intervals since 1970), credential, class,
    outcome and ``total``."""
    row = UsageCountRow
    # Written out: PostgreSQL does not see that two parameters are the same number.
    bucket = row.hour.op("/")(literal_column(str(interval))).label("bucket")
    rest = (row.credential_id, row.route_class, row.outcome)
    statement = (
        select(bucket, row.credential_type, *rest, func.sum(row.count).label("total"))
        .where(row.organization_id == organization_id)
        .group_by(bucket, row.credential_type, *rest)
        .order_by(bucket.desc(), *rest)
        .limit(limit)
    )
    for column, value in (
        (row.credential_id, wanted.credential_id),
        (row.route_class, wanted.route_class),
        (row.outcome, wanted.outcome),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.first_hour is not None:
        statement = statement.where(row.hour >= wanted.first_hour)
    if wanted.end_hour is not None:
        statement = statement.where(row.hour < wanted.end_hour)
    if after is not None:
        begun, *behind = after
        first, end = begun * interval, (begun + 1) * interval
        statement = statement.where(row.hour < end).where(
            or_(row.hour < first, tuple_(*rest) > tuple_(*behind))
        )
    return session.execute(statement).all()


def totals(
    session: Session,
    organization_id: str,
    *,
    interval: int,
    first_hour: int,
    credential_id: str | None,
) -> Sequence[Row[Any]]:
    """Uses since then of one credential or of all: ``bucket``, ``outcome``, ``total``."""
    row = UsageCountRow
    bucket = row.hour.op("/")(literal_column(str(interval))).label("bucket")
    whose = row.organization_id == organization_id
    if credential_id is not None:
        # Behind a function, so that only the primary key fits: SQLite would read every use of the
        # organization to find those of one credential.
        whose = and_(
            row.credential_id == credential_id,
            func.coalesce(row.organization_id, "") == organization_id,
        )
    statement = (
        select(bucket, row.outcome, func.sum(row.count).label("total"))
        .where(whose, row.hour >= first_hour)
        .group_by(bucket, row.outcome)
    )
    return session.execute(statement).all()


def busiest(
    session: Session, organization_id: str, *, first_hour: int, limit: int
) -> Sequence[Row[Any]]:
    """The credentials that are used most since then: ``credential_id``, ``total``, and what of it
    was over a limit as ``limited``."""
    row = UsageCountRow
    total = func.sum(row.count)
    limited = func.sum(case((row.outcome == LIMITED, row.count), else_=0))
    statement = (
        select(row.credential_id, total.label("total"), limited.label("limited"))
        .where(row.organization_id == organization_id, row.hour >= first_hour)
        .group_by(row.credential_id)
        .order_by(limited.desc(), total.desc())
        .limit(limit)
    )
    return session.execute(statement).all()


def networks(
    session: Session,
    organization_id: str,
    *,
    credential_id: str | None,
    since: datetime | None,
    after: tuple[str, str] | None,
    limit: int,
) -> Sequence[UsageNetworkRow]:
    """The next networks in the order of credentials; ``since``: first seen then or later."""
    row = UsageNetworkRow
    place = (row.credential_id, row.network)
    statement = select(row).where(row.organization_id == organization_id).order_by(*place)
    if credential_id is not None:
        statement = statement.where(row.credential_id == credential_id)
    if since is not None:
        statement = statement.where(row.first_seen_at >= since)
    if after is not None:
        statement = statement.where(tuple_(*place) > tuple_(*after))
    return session.scalars(statement.limit(limit)).all()


def networks_of(session: Session, credential_id: str, limit: int) -> Sequence[UsageNetworkRow]:
    """Where a credential was seen, the latest first."""
    row = UsageNetworkRow
    statement = select(row).where(row.credential_id == credential_id)
    return session.scalars(statement.order_by(row.last_seen_at.desc()).limit(limit)).all()


def credentials(
    session: Session,
    organization_id: str,
    *,
    credential_id: str | None,
    after: str | None,
    limit: int,
) -> Sequence[Row[str, str, str, list[str], datetime]]:
    """The next active clients and API keys by id: ``type``, ``id``, ``name``, ``scopes`` as they
    are held, ``created_at``."""
    found = []
    for kind, row, id in (
        ("client", ClientRow, ClientRow.client_id),
        ("api_key", ApiKeyRow, ApiKeyRow.id),
    ):
        statement = select(
            literal(kind).label("type"), id.label("id"), row.name, row.scopes, row.created_at
        ).where(row.organization_id == organization_id, row.status == "active")
        if credential_id is not None:
            statement = statement.where(id == credential_id)
        if after is not None:
            statement = statement.where(id > after)
        found.append(statement)
    return session.execute(union_all(*found).order_by("id").limit(limit)).all()


def scopes(
    session: Session, credential_ids: Collection[str]
) -> dict[tuple[str, str], UsageScopeRow]:
    """By credential and scope."""
    rows = session.scalars(
        select(UsageScopeRow).where(UsageScopeRow.credential_id.in_(credential_ids))
    )
    return {(row.credential_id, row.scope): row for row in rows}
