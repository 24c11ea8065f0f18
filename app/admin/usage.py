"""How an organization's credentials are used (``docs/usage.md``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.admin import fields
from app.admin.desk import Desk
from app.admin.pages import DEFAULT_LIMIT, Page, page_of, read_cursor, read_limit
from app.admin.rights import reach, require
from app.builtin import TOKEN_CLASS, USAGE_READ
from app.errors import Invalid
from app.policy.limits import Allowance, Limiter, all_limits, allowance
from app.records import OUTCOMES, Actor
from app.storage import api_keys, clients, organizations
from app.storage import usage_queries as stored
from app.storage.directory import api_key_record
from app.storage.models import UsageScopeRow
from app.storage.uses import hour_of
from keyturn.scope import Catalogue, Grant

INTERVALS = {"hour": stored.HOUR, "day": stored.DAY}
UNUSED_DAYS = 90
LONGEST_DAYS = 3660
_BEHIND = "|"
"""Between the parts of a cursor; in none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Which counts: every named field must fit."""

    credential_id: str | None = None
    route_class: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Not included; both are taken to the hour."""


EVERYTHING = UsageFilter()


@dataclass(frozen=True, slots=True)
class Count:
    """Uses of a credential in an hour or a day."""

    bucket: datetime
    credential_type: str
    credential_id: str
    route_class: str
    outcome: str
    count: int


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit that holds, and what is left of it."""

    route_class: str | None
    limit: int
    window: str
    used: int
    remaining: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Network:
    """Where a credential was seen."""

    credential_type: str
    credential_id: str
    network: str
    first_seen_at: datetime
    last_seen_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class HeldScope:
    """A scope that is granted, when it was last in a token, and when it was last needed."""

    scope: str
    last_issued_at: datetime | None
    last_used_at: datetime | None
    unused: bool


@dataclass(frozen=True, slots=True)
class HeldScopes:
    """What a credential may do, and whether it does."""

    credential_type: str
    credential_id: str
    name: str
    scopes: tuple[HeldScope, ...]


def counts(
    desk: Desk,
    actor: Actor,
    wanted: UsageFilter = EVERYTHING,
    *,
    interval: str = "hour",
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
) -> Page[Count]:
    """Counts by credential, class, outcome and interval, the youngest first.

    Raises Forbidden, Invalid, NotFound.
    """
    organization_id = _organization(actor, organization_id)
    limit = read_limit(limit)
    hours = INTERVALS[fields.one_of(interval, tuple(INTERVALS), "interval")]
    if wanted.outcome is not None:
        fields.one_of(wanted.outcome, OUTCOMES, "outcome")
    asked = stored.CountFilter(
        credential_id=wanted.credential_id,
        route_class=wanted.route_class,
        outcome=wanted.outcome,
        first_hour=None if wanted.since is None else hour_of(wanted.since),
        end_hour=None if wanted.until is None else -(-int(wanted.until.timestamp()) // 3600),
    )
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
        found = stored.counts(
            session,
            organization_id,
            asked,
            interval=hours,
            after=_after_count(cursor),
            limit=limit + 1,
        )
    return page_of(
        found,
        limit,
        lambda row: _BEHIND.join(
            (str(row.bucket), row.credential_id, row.route_class, row.outcome)
        ),
        lambda row: Count(
            datetime.fromtimestamp(row.bucket * hours * 3600, UTC),
            row.credential_type,
            row.credential_id,
            row.route_class,
            row.outcome,
            int(row.total),
        ),
    )


def limits(
    desk: Desk,
    limiter: Limiter,
    actor: Actor,
    credential_id: str | None = None,
    *,
    organization_id: str | None = None,
) -> tuple[LimitState, ...]:
    """The limits of a credential, by default the one that asks, and how they stand; nothing is
    used by asking. Raises Forbidden, NotFound.
    """
    organization_id = _organization(actor, organization_id)
    if credential_id is None:
        if actor.type not in ("client", "api_key"):
            return ()
        credential_id, organization_id = actor.id, actor.organization_id
    with desk.store.reading() as session:
        row = api_keys.get(session, organization_id, credential_id)
        if row is None and clients.get(session, organization_id, credential_id) is None:
            return ()
        key = None if row is None else api_key_record(row)
    organization = desk.directory.organization(organization_id)
    names = all_limits(organization, key).classes
    held = [
        (name, allowance(credential_id, name or "", organization, key))
        for name in sorted(names, key=lambda name: name or "")
    ]
    if (own := desk.settings.token_rate_limit) is not None:
        held.append((TOKEN_CLASS, Allowance(f"token:{credential_id}", (own,))))
    now = desk.clock()
    return tuple(
        LimitState(
            route_class=name,
            limit=usage.limit.amount,
            window=usage.limit.window,
            used=usage.used,
            remaining=usage.remaining,
            resets_at=(now + timedelta(seconds=usage.resets_in)).replace(microsecond=0),
        )
        for name, allowed in held
        for usage in limiter.left(allowed)
    )


def networks(
    desk: Desk,
    actor: Actor,
    *,
    credential_id: str | None = None,
    since: datetime | None = None,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
) -> Page[Network]:
    """Where credentials were seen; ``since``: those first seen then or later.

    Raises Forbidden, Invalid, NotFound.
    """
    organization_id = _organization(actor, organization_id)
    limit = read_limit(limit)
    after = _parts(cursor, 2)
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
        found = stored.networks(
            session,
            organization_id,
            credential_id=credential_id,
            since=since,
            after=None if after is None else (after[0], after[1]),
            limit=limit + 1,
        )
        return page_of(
            found,
            limit,
            lambda row: _BEHIND.join((row.credential_id, row.network)),
            lambda row: Network(*(getattr(row, name) for name in Network.__slots__)),
        )


def scopes(
    desk: Desk,
    actor: Actor,
    *,
    credential_id: str | None = None,
    unused_days: int = UNUSED_DAYS,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
) -> Page[HeldScopes]:
    """What active credentials are granted, and whether they needed it in so many days. What is
    younger than that has had no time. Raises Forbidden, Invalid, NotFound.
    """
    organization_id = _organization(actor, organization_id)
    limit = read_limit(limit)
    fields.number(unused_days, "unused_days", 1, LONGEST_DAYS)
    boundary = desk.clock() - timedelta(days=unused_days)
    with desk.store.reading() as session:
        owner = organizations.existing(session, organization_id)
        catalogue = organizations.record(session, owner).catalogue
        found = stored.credentials(
            session,
            organization_id,
            credential_id=credential_id,
            after=read_cursor(cursor),
            limit=limit + 1,
        )
        used = stored.scopes(session, [row.id for row in found])
        return page_of(
            found,
            limit,
            lambda row: row.id,
            lambda row: HeldScopes(
                row.type,
                row.id,
                row.name,
                tuple(
                    _held(used.get((row.id, scope)), scope, row.created_at, boundary)
                    for scope in _granted(catalogue, row.scopes)
                ),
            ),
        )


def _granted(catalogue: Catalogue, scopes: list[str]) -> tuple[str, ...]:
    """Flat: a client may hold wildcards. What is no longer declared nobody can use."""
    return tuple(catalogue.expand(Grant.of(scopes)))


def _held(
    row: UsageScopeRow | None, scope: str, created_at: datetime, boundary: datetime
) -> HeldScope:
    last_used_at = row.last_used_at if row is not None else None
    return HeldScope(
        scope=scope,
        last_issued_at=row.last_issued_at if row is not None else None,
        last_used_at=last_used_at,
        unused=(last_used_at or created_at) < boundary,
    )


def _organization(actor: Actor, organization_id: str | None) -> str:
    require(actor, USAGE_READ)
    return reach(actor, organization_id, write=False)


def _after_count(cursor: str | None) -> tuple[int, str, str, str] | None:
    parts = _parts(cursor, 4)
    if parts is None:
        return None
    if not (parts[0].isdigit() and len(parts[0]) < 9):
        raise _no_cursor()
    return int(parts[0]), parts[1], parts[2], parts[3]


def _parts(cursor: str | None, number: int) -> list[str] | None:
    text = read_cursor(cursor)
    if text is None:
        return None
    parts = text.split(_BEHIND)
    if len(parts) != number:
        raise _no_cursor()
    return parts


def _no_cursor() -> Invalid:
    return Invalid("cursor is not one that this list has given", field="cursor")
