"""Organizations in the database, and the record of one as a use case sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.builtin import CLASS_LIMITS, administration
from app.errors import NotFound
from app.records import ACTIVE, ALLOW, DENY, LABELS, Organization, Resource
from app.storage.models import ApiKeyRow, ClientRow, OrganizationRow, PlanRow, ResourceRow, ScopeRow
from app.storage.search import is_found
from keyturn.limits.values import RateLimits
from keyturn.scope import Catalogue, Declared, Grant

SECOND_FACTOR = "require_second_factor"
"""The name of that setting."""

Lock = Literal["share", "update"]
"""``share``: what it declares stays as it is; ``update``: nobody else changes or counts beside us.
Neither stops a foreign key check. SQLite needs neither: its write transactions are alone."""


def get(session: Session, organization_id: str, lock: Lock | None = None) -> OrganizationRow | None:
    """One organization, locked until the transaction ends where asked."""
    statement = select(OrganizationRow).where(OrganizationRow.id == organization_id)
    if lock == "share":
        statement = statement.with_for_update(read=True)
    elif lock == "update":
        statement = statement.with_for_update(key_share=True)
    return session.scalar(statement)


def existing(session: Session, organization_id: str) -> OrganizationRow:
    """One organization. Raises NotFound."""
    row = get(session, organization_id)
    if row is None:
        raise NotFound("organization")
    return row


def by_name(session: Session, name: str) -> OrganizationRow | None:
    """The organization of this name."""
    return session.scalar(select(OrganizationRow).where(OrganizationRow.name == name))


def operator(session: Session) -> OrganizationRow | None:
    """The first organization, once it exists."""
    return session.scalar(select(OrganizationRow).where(OrganizationRow.is_operator))


def page(
    session: Session,
    *,
    before: str | None,
    limit: int,
    status: str | None = None,
    plan_id: str | None = None,
    search: str | None = None,
) -> list[OrganizationRow]:
    """The next ones, the youngest first."""
    statement = select(OrganizationRow).order_by(OrganizationRow.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(OrganizationRow.id < before)
    if status is not None:
        statement = statement.where(OrganizationRow.status == status)
    if plan_id is not None:
        statement = statement.where(OrganizationRow.plan_id == plan_id)
    if search is not None:
        statement = statement.where(is_found(OrganizationRow, OrganizationRow.id, search))
    return list(session.scalars(statement))


def on_plan(session: Session, plan_id: str) -> list[str]:
    """Ids of the organizations on a plan."""
    statement = select(OrganizationRow.id).where(OrganizationRow.plan_id == plan_id)
    return list(session.scalars(statement.order_by(OrganizationRow.id)))


def known_ids(session: Session, ids: Collection[str]) -> set[str]:
    """Those of them that organizations have."""
    return set(session.scalars(select(OrganizationRow.id).where(OrganizationRow.id.in_(ids))))


def with_key_policy(session: Session) -> list[str]:
    """Ids of the active organizations that ask something of their API keys."""
    statement = select(OrganizationRow.id).where(
        OrganizationRow.key_policy.is_not(None), OrganizationRow.status == ACTIVE
    )
    return list(session.scalars(statement.order_by(OrganizationRow.id)))


def environments_in_use(session: Session, organization_id: str) -> set[str]:
    """Environments that a client, or a key that could be used again, lives in."""
    clients = select(ClientRow.environment).where(ClientRow.organization_id == organization_id)
    keys = select(ApiKeyRow.environment).where(
        ApiKeyRow.organization_id == organization_id,
        ApiKeyRow.status.in_(("active", "disabled")),
    )
    return {*session.scalars(clients.distinct()), *session.scalars(keys.distinct())}


def record(session: Session, row: OrganizationRow) -> Organization:
    """An organization with its catalogue and resources, as this transaction sees them."""
    scopes = session.scalars(select(ScopeRow).where(ScopeRow.organization_id == row.id))
    resources = session.scalars(
        select(ResourceRow)
        .where(ResourceRow.organization_id == row.id)
        .order_by(ResourceRow.identifier)
    )
    plan = session.get(PlanRow, row.plan_id) if row.plan_id else None
    return assembled(row, scopes, resources, plan.rate_limits if plan else ())


def assembled(
    row: Any,
    scopes: Iterable[Any],
    resources: Iterable[Any],
    plan_limits: Iterable[Mapping[str, Any]],
) -> Organization:
    """The record, from rows of its tables (the ORM's, or plain ones with the same names)."""
    declared = {
        scope.name: Declared(scope.name, scope.description, frozenset(scope.implies), scope.public)
        for scope in scopes
    }
    return Organization(
        id=row.id,
        name=row.name,
        status=row.status,
        is_operator=row.is_operator,
        environments=tuple(row.environments),
        catalogue=Catalogue(declared | dict(administration(operator=row.is_operator))),
        resources=tuple(
            Resource(one.identifier, Grant.of(one.scopes), tuple(one.environments), one.profile)
            for one in resources
        ),
        profile=row.profile,
        rate_limits=(
            RateLimits.of(plan_limits),
            RateLimits.of(row.rate_limits),
            RateLimits.of(CLASS_LIMITS.get(row.profile, ())),
        ),
        browser_origin=(row.key_policy or {}).get("browser_origin") or ALLOW,
        service_keys=(row.key_policy or {}).get("service_keys") or DENY,
        labels={**LABELS, **row.settings.get("labels", {})},
        requires_second_factor=bool(row.settings.get(SECOND_FACTOR)),
    )
