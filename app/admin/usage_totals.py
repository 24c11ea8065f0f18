"""Usage at a glance: how much was accepted and refused, and whose limits are nearly used up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from app.admin import fields
from app.admin.desk import Desk
from app.admin.rights import reach, require
from app.admin.usage import INTERVALS, LimitState, limits
from app.builtin import USAGE_READ
from app.policy.limits import Limiter
from app.records import LIMITED, REFUSED, SUCCESS, Actor
from app.storage import organizations
from app.storage import usage_queries as stored
from app.storage.uses import hour_of

MOST = 90
"""Intervals that are looked at in one go."""
LOOKED_AT = 10
"""Credentials whose limits are asked for: those that are used most."""
NEAR = 0.8


@dataclass(frozen=True, slots=True)
class Total:
    """Uses in an hour or a day."""

    bucket: datetime
    accepted: int
    refused: int
    limited: int


@dataclass(frozen=True, slots=True)
class NearLimit:
    """A credential and the limit that it has nearly used up."""

    credential_id: str
    state: LimitState


def totals(
    desk: Desk,
    actor: Actor,
    *,
    interval: str = "hour",
    number: int = 24,
    credential_id: str | None = None,
    organization_id: str | None = None,
) -> tuple[Total, ...]:
    """The last so many intervals, this one included, the oldest first and without gaps.

    Raises Forbidden, Invalid, NotFound.
    """
    organization_id = _organization(actor, organization_id)
    hours = INTERVALS[fields.one_of(interval, tuple(INTERVALS), "interval")]
    last = hour_of(desk.clock()) // hours
    first = last - fields.number(number, "number", 1, MOST) + 1
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
        rows = stored.totals(
            session,
            organization_id,
            interval=hours,
            first_hour=first * hours,
            credential_id=credential_id,
        )
    found = {(row.bucket, row.outcome): int(row.total) for row in rows}
    return tuple(
        Total(
            datetime.fromtimestamp(bucket * hours * 3600, UTC),
            found.get((bucket, SUCCESS), 0),
            found.get((bucket, REFUSED), 0),
            found.get((bucket, LIMITED), 0),
        )
        for bucket in range(first, last + 1)
    )


def near_limits(
    desk: Desk, limiter: Limiter, actor: Actor, *, organization_id: str | None = None
) -> tuple[NearLimit, ...]:
    """Limits of which four fifths are used, of the credentials that are used most in this hour and
    the one before. Raises Forbidden, NotFound.
    """
    organization_id = _organization(actor, organization_id)
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
        busy = stored.busiest(
            session, organization_id, first_hour=hour_of(desk.clock()) - 1, limit=LOOKED_AT
        )
    return tuple(
        NearLimit(row.credential_id, state)
        for row in busy
        for state in limits(
            desk, limiter, actor, row.credential_id, organization_id=organization_id
        )
        if state.used >= NEAR * state.limit
    )


def _organization(actor: Actor, organization_id: str | None) -> str:
    require(actor, USAGE_READ)
    return reach(actor, organization_id, write=False)
