"""``/v1/plans``: what organizations may do; for the operator's credentials alone."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import BaseModel, Field

from app.admin import plans
from app.builtin import ORGANIZATIONS_READ, ORGANIZATIONS_WRITE
from app.web.api.answers import answer, created, deleted, listed, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, WRITES, collection, gives, needs
from app.web.api.values import (
    Answer,
    Body,
    Instant,
    Listing,
    Name,
    PageOf,
    PathId,
    RateLimits,
    ShownRateLimit,
    example,
    unnamed,
)

blueprint = collection("plans", "Caps and limits of organizations; for the operator's credentials")

KeyCap = Annotated[int, Field(ge=0, le=plans.MOST_KEYS)]


class PlanPath(BaseModel):
    """One plan."""

    plan_id: PathId


class NewPlan(Body):
    """A plan to be made."""

    model_config = example(name="Growth", max_active_keys=5)

    name: Name
    max_active_keys: KeyCap | None = Field(None, description="null: no cap; 0: no keys.")
    rate_limits: RateLimits = Field([])
    custom_key_limits: bool = Field(
        False, description="Whether single keys may have limits of their own."
    )


class PlanChanges(Body):
    """What is changed; it takes effect at once."""

    model_config = example(rate_limits=[{"limit": 100, "window": "minute"}])

    name: Name = unnamed()
    max_active_keys: KeyCap | None = unnamed()
    rate_limits: RateLimits = unnamed()
    custom_key_limits: bool = unnamed()


class Plan(Answer):
    """A plan."""

    id: str
    name: str
    max_active_keys: int | None
    rate_limits: list[ShownRateLimit]
    custom_key_limits: bool
    created_at: Instant
    updated_at: Instant


class PlanPage(PageOf[Plan]):
    """Plans, the youngest first."""


@blueprint.get("", security=needs(ORGANIZATIONS_READ), responses=gives(200, PlanPage))
def list_plans(query: Listing) -> Response:
    """List plans"""
    return listed(
        PlanPage, plans.list_page(desk(), actor(), limit=query.limit, cursor=query.cursor)
    )


@blueprint.post("", security=needs(ORGANIZATIONS_WRITE), responses=gives(201, Plan, WRITES))
def create_plan(body: NewPlan) -> Response:
    """Create a plan"""
    made = plans.create(desk(), actor(), plans.NewPlan(**body.named()))
    return created(shown(Plan, made), "plans", made.id)


@blueprint.get("/<plan_id>", security=needs(ORGANIZATIONS_READ), responses=gives(200, Plan, OBJECT))
def show_plan(path: PlanPath) -> Response:
    """Show a plan"""
    return answer(shown(Plan, plans.show(desk(), actor(), path.plan_id)))


@blueprint.patch(
    "/<plan_id>", security=needs(ORGANIZATIONS_WRITE), responses=gives(200, Plan, WRITES)
)
def update_plan(path: PlanPath, body: PlanChanges) -> Response:
    """Change a plan"""
    changes = plans.PlanChanges(**body.named())
    return answer(shown(Plan, plans.update(desk(), actor(), path.plan_id, changes)))


@blueprint.delete(
    "/<plan_id>", security=needs(ORGANIZATIONS_WRITE), responses=gives(204, None, (404, 409))
)
def delete_plan(path: PlanPath) -> Response:
    """Remove a plan that nobody is on"""
    plans.delete(desk(), actor(), path.plan_id)
    return deleted()
