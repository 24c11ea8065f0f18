"""What an organization may do, and how much of it is used: its plan, and the limits that hold."""

from __future__ import annotations

from dataclasses import dataclass

from app.admin.desk import Desk
from app.admin.rights import reach, require
from app.builtin import USAGE_READ
from app.policy.limits import sourced
from app.records import Actor, Organization
from app.storage import api_keys, organizations, plans

SOURCES = ("plan", "organization", "profile")
"""Who says a limit, in the order in which they count; a key's own comes before them."""


@dataclass(frozen=True, slots=True)
class HeldLimit:
    """A limit of every credential that has none of its own."""

    route_class: str | None
    """None: every class that has no limits of its own."""
    limit: int
    window: str
    source: str
    """One of ``SOURCES``."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an organization stands to its plan."""

    plan_id: str | None
    plan: str | None
    """Its name; None: on no plan, so nothing is capped."""
    max_active_keys: int | None
    active_keys: int
    custom_key_limits: bool
    """Whether single keys may have limits of their own."""
    limits: tuple[HeldLimit, ...]

    @property
    def is_full(self) -> bool:
        """Whether no further key can be made."""
        return self.max_active_keys is not None and self.active_keys >= self.max_active_keys


def show(desk: Desk, actor: Actor, *, organization_id: str | None = None) -> Standing:
    """Raises Forbidden, NotFound."""
    require(actor, USAGE_READ)
    organization_id = reach(actor, organization_id, write=False)
    with desk.store.reading() as session:
        row = organizations.existing(session, organization_id)
        plan = plans.get(session, row.plan_id) if row.plan_id else None
        return Standing(
            plan_id=row.plan_id,
            plan=plan.name if plan else None,
            max_active_keys=plan.max_active_keys if plan else None,
            active_keys=api_keys.count_active(session, row.id, desk.clock()),
            custom_key_limits=plan is None or plan.custom_key_limits,
            limits=_held(organizations.record(session, row)),
        )


def _held(organization: Organization) -> tuple[HeldLimit, ...]:
    return tuple(
        HeldLimit(name, limit.amount, limit.window, SOURCES[number])
        for number, name, limit in sourced(organization)
    )
