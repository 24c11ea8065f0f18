"""Plans: what organizations may do. The operator makes them and puts organizations on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.admin import fields, rows
from app.admin.changes import UNSET, Unset, named
from app.admin.desk import Desk
from app.admin.pages import DEFAULT_LIMIT, Page, page_of, read_cursor, read_limit
from app.admin.rate_limits import RateLimitInput, read_rate_limits
from app.admin.rights import require_operator
from app.builtin import ORGANIZATIONS_READ, ORGANIZATIONS_WRITE
from app.errors import Conflict, NotFound
from app.ids import new_id
from app.records import Actor
from app.storage import audit, organizations, plans
from app.storage.models import PlanRow
from app.storage.store import Transaction

MOST_KEYS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlan:
    """What is said of a new plan."""

    name: str
    max_active_keys: int | None = None
    """None: no cap; 0: no keys."""
    rate_limits: Sequence[RateLimitInput] = ()
    custom_key_limits: bool = False
    """Whether single keys may have limits of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanges:
    """What is changed of a plan; it takes effect at once, without new keys."""

    name: str | Unset = UNSET
    max_active_keys: int | Unset | None = UNSET
    rate_limits: Sequence[RateLimitInput] | Unset = UNSET
    custom_key_limits: bool | Unset = UNSET


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan as administrators see it."""

    id: str
    name: str
    max_active_keys: int | None
    rate_limits: tuple[Mapping[str, Any], ...]
    custom_key_limits: bool
    created_at: datetime
    updated_at: datetime


def create(desk: Desk, actor: Actor, new: NewPlan) -> PlanView:
    """Raises Forbidden, Invalid, Conflict."""
    require_operator(actor, ORGANIZATIONS_WRITE)
    with desk.store.transaction(actor) as work:
        values = _checked(
            work,
            None,
            {
                "name": new.name,
                "max_active_keys": new.max_active_keys,
                "rate_limits": new.rate_limits,
                "custom_key_limits": new.custom_key_limits,
            },
        )
        row = PlanRow(id=new_id("plan"), created_at=work.now, updated_at=work.now, **values)
        work.session.add(row)
        work.record("plan.created", "plan", row.id, name=row.name)
        return rows.view_of(PlanView, row)


def list_page(
    desk: Desk, actor: Actor, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
) -> Page[PlanView]:
    """Plans, the youngest first. Raises Forbidden, Invalid."""
    require_operator(actor, ORGANIZATIONS_READ)
    limit = read_limit(limit)
    with desk.store.reading() as session:
        found = plans.page(session, before=read_cursor(cursor), limit=limit + 1)
        return page_of(found, limit, lambda row: row.id, lambda row: rows.view_of(PlanView, row))


def show(desk: Desk, actor: Actor, plan_id: str) -> PlanView:
    """One plan. Raises Forbidden, NotFound."""
    require_operator(actor, ORGANIZATIONS_READ)
    with desk.store.reading() as session:
        row = plans.get(session, fields.object_id(plan_id, "plan"))
        if row is None:
            raise NotFound("plan")
        return rows.view_of(PlanView, row)


def find(desk: Desk, actor: Actor, name: str) -> PlanView:
    """The plan of this name. Raises Forbidden, NotFound."""
    require_operator(actor, ORGANIZATIONS_READ)
    with desk.store.reading() as session:
        row = plans.by_name(session, name) if name.isprintable() else None
        if row is None:
            raise NotFound("plan")
        return rows.view_of(PlanView, row)


def update(desk: Desk, actor: Actor, plan_id: str, changes: PlanChanges) -> PlanView:
    """Raises Forbidden, Invalid, NotFound, Conflict."""
    require_operator(actor, ORGANIZATIONS_WRITE)
    with desk.store.transaction(actor) as work:
        row = _locked(work, plan_id)
        changed = rows.put(row, _checked(work, row, named(changes)))
        if changed:
            row.updated_at = work.now
            work.record("plan.updated", "plan", row.id, changed=changed)
            for organization_id in organizations.on_plan(work.session, row.id):
                work.changed("organization", organization_id)
        return rows.view_of(PlanView, row)


def delete(desk: Desk, actor: Actor, plan_id: str) -> None:
    """Remove a plan nobody is on. Idempotent. Raises Forbidden, NotFound, Conflict."""
    require_operator(actor, ORGANIZATIONS_WRITE)
    plan_id = fields.object_id(plan_id, "plan")
    with desk.store.transaction(actor) as work:
        if plans.get(work.session, plan_id) is None and audit.happened(
            work.session, actor.organization_id, "plan.deleted", plan_id
        ):
            return
        row = _locked(work, plan_id)
        if organizations.on_plan(work.session, plan_id):
            raise Conflict("Organizations are on this plan: put them on another one first")
        work.session.delete(row)
        work.record("plan.deleted", "plan", plan_id, name=row.name)


def _locked(work: Transaction, plan_id: str) -> PlanRow:
    row = plans.get(work.session, fields.object_id(plan_id, "plan"), lock=True)
    if row is None:
        raise NotFound("plan")
    return row


def _checked(work: Transaction, row: PlanRow | None, values: dict[str, Any]) -> dict[str, Any]:
    if "name" in values:
        values["name"] = fields.name(values["name"])
        taken = plans.by_name(work.session, values["name"])
        if taken is not None and taken is not row:
            raise Conflict("A plan of this name exists", field="name")
    if values.get("max_active_keys") is not None:
        fields.number(values["max_active_keys"], "max_active_keys", 0, MOST_KEYS)
    if "rate_limits" in values:
        values["rate_limits"] = read_rate_limits(values["rate_limits"])
    return values
