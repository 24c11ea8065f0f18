"""Plans, for the operator: how many keys, and how often, by class of routes."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, url_for
from wtforms import BooleanField, IntegerField, StringField
from wtforms.validators import InputRequired, Optional

from app.admin import plans
from app.admin.fields import MAX_NAME
from app.admin.rights import require_operator
from app.builtin import ORGANIZATIONS_WRITE
from app.records import Actor
from app.web.dashboard import filters, shell
from app.web.dashboard.fields import RateLimitLines
from app.web.dashboard.shell import OnceForm, Question, page, query
from app.web.dashboard.signed_in import actor, confirmed, desk

blueprint = Blueprint("plans", __name__, url_prefix="/plans")


class PlanForm(OnceForm):
    """All that a plan says."""

    name = StringField("Name", validators=[InputRequired()], render_kw={"maxlength": MAX_NAME})
    max_active_keys = IntegerField(
        "Active API keys at most",
        validators=[Optional()],
        description="Empty: as many as they like; 0: none.",
        render_kw={"min": 0, "max": plans.MOST_KEYS},
    )
    rate_limits = RateLimitLines("Rate limits")
    custom_key_limits = BooleanField(
        "Single keys may have limits of their own", description="They hold in place of the plan's."
    )

    def values(self) -> dict[str, Any]:
        """As use cases ask for them."""
        return {
            "name": self.name.data or "",
            "max_active_keys": self.max_active_keys.data,
            "rate_limits": self.rate_limits.data or (),
            "custom_key_limits": self.custom_key_limits.data,
        }


@blueprint.get("")
def index() -> Any:
    found, refused = filters.found(lambda: plans.list_page(desk(), actor(), cursor=query("cursor")))
    return page("plans", found=found, refused=refused)


@blueprint.route("/new", methods=("GET", "POST"))
def new() -> Any:
    require_operator(actor(), ORGANIZATIONS_WRITE)
    form = PlanForm()

    def create(maker: Actor) -> plans.PlanView:
        return plans.create(desk(), maker, plans.NewPlan(**form.values()))

    made = shell.make(form, create, leads_to=url_of)
    if made is None:
        return page("plan_form", form, plan=None, back=url_for(".index"))
    flash(f"Organizations can be put on {made.name} now.")
    return redirect(url_of(made.id), 303)


@blueprint.get("/<plan_id>")
def show(plan_id: str) -> Any:
    return page("plan", plan=plans.show(desk(), actor(), plan_id))


@blueprint.route("/<plan_id>/edit", methods=("GET", "POST"))
def edit(plan_id: str) -> Any:
    require_operator(actor(), ORGANIZATIONS_WRITE)
    found = plans.show(desk(), actor(), plan_id)
    form = PlanForm(obj=found)

    def change() -> plans.PlanView:
        return plans.update(desk(), actor(), plan_id, plans.PlanChanges(**form.values()))

    if shell.attempt(form, change) is None:
        return page("plan_form", form, plan=found, back=url_of(plan_id))
    flash("Saved. It holds at once, for every key there is.")
    return redirect(url_of(plan_id), 303)


@blueprint.route("/<plan_id>/delete", methods=("GET", "POST"))
@confirmed
def delete(plan_id: str) -> Any:
    require_operator(actor(), ORGANIZATIONS_WRITE)
    return shell.confirm(
        lambda: plans.delete(desk(), actor(), plan_id),
        lambda: Question(
            f"Delete {plans.show(desk(), actor(), plan_id).name}?",
            "Nobody can be put on it any more.",
            "Delete the plan",
            url_of(plan_id),
        ),
        done="The plan is gone.",
        leads_to=url_for(".index"),
    )


def url_of(plan_id: str) -> str:
    return url_for("dashboard.plans.show", plan_id=plan_id)
