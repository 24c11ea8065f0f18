"""Organizations, for the operator: made, put on plans, suspended and resumed."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, url_for
from werkzeug.wrappers import Response
from wtforms import RadioField, SelectField, StringField
from wtforms.validators import InputRequired

from app.admin import organizations, sessions
from app.admin.fields import MAX_NAME
from app.admin.rights import require_operator
from app.builtin import ORGANIZATIONS_READ, ORGANIZATIONS_WRITE
from app.records import ACTIVE, SUSPENDED, Actor
from app.web.dashboard import filters, shell
from app.web.dashboard.fields import Lines
from app.web.dashboard.organization import edited, policy_edited, shown
from app.web.dashboard.organization_forms import plan_choices
from app.web.dashboard.shell import OnceForm, Question, page, query
from app.web.dashboard.signed_in import actor, confirmed, desk, session

blueprint = Blueprint("organizations", __name__, url_prefix="/organizations")


class NewOrganizationForm(OnceForm):
    """What is said at first; the rest has a page of its own."""

    name = StringField("Name", validators=[InputRequired()], render_kw={"maxlength": MAX_NAME})
    environments = Lines(
        "Environments",
        validators=[InputRequired()],
        default=organizations.ENVIRONMENTS,
        description="One a line. Credentials of one never reach another.",
        render_kw={"rows": 3, "spellcheck": "false"},
    )
    plan_id = SelectField("Plan", default="")
    profile = RadioField(
        "How refusals read",
        choices=list(organizations.PROFILES),
        default=organizations.PROFILES[0],
    )

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.plan_id.choices = plan_choices()


@blueprint.get("")
def index() -> Any:
    found, refused = filters.found(
        lambda: organizations.list_page(
            desk(),
            actor(),
            cursor=query("cursor"),
            status=query("status"),
            plan_id=query("plan_id"),
            search=query("search"),
        )
    )
    names = {one.value: one.label for one in plan_choices()}
    return page(
        "organizations",
        found=found,
        refused=refused,
        statuses=organizations.STATUSES,
        plans=names,
    )


@blueprint.route("/new", methods=("GET", "POST"))
def new() -> Any:
    require_operator(actor(), ORGANIZATIONS_WRITE)
    form = NewOrganizationForm()

    def create(maker: Actor) -> organizations.OrganizationView:
        asked = organizations.NewOrganization(
            name=form.name.data or "",
            environments=form.environments.data or (),
            plan_id=form.plan_id.data or None,
            profile=form.profile.data,
        )
        return organizations.create(desk(), maker, asked)

    made = shell.make(form, create, leads_to=url_of)
    if made is None:
        return page("organization_new", form, back=url_for(".index"))
    flash(f"{made.name} is there: declare its scopes, then invite its people.")
    return redirect(url_of(made.id), 303)


@blueprint.get("/<organization_id>")
def show(organization_id: str) -> Any:
    return shown(
        organization_id,
        lambda part: url_for(".edit", organization_id=organization_id, part=part),
        url_for(".key_policy", organization_id=organization_id),
    )


@blueprint.route("/<organization_id>/edit/<part>", methods=("GET", "POST"))
def edit(organization_id: str, part: str) -> Any:
    return edited(organization_id, part, url_of(organization_id))


@blueprint.route("/<organization_id>/key-policy", methods=("GET", "POST"))
def key_policy(organization_id: str) -> Any:
    return policy_edited(organization_id, url_of(organization_id))


@blueprint.post("/<organization_id>/look")
def look(organization_id: str) -> Response:
    """Act on this organization on every page, until one comes back or the session ends."""
    require_operator(actor(), ORGANIZATIONS_READ)
    _look_at(None if organization_id == actor().organization_id else organization_id)
    return redirect(url_for("dashboard.overview.index"), 303)


@blueprint.post("/back")
def come_back() -> Response:
    """Act on one's own again."""
    was = session().looks_at
    _look_at(None)
    return redirect(url_of(was) if was else url_for(".index"), 303)


def _look_at(organization_id: str | None) -> None:
    sessions.look_at(desk(), session(), organization_id, g.origin)


@blueprint.route("/<organization_id>/suspend", methods=("GET", "POST"))
@confirmed
def suspend(organization_id: str) -> Any:
    return _status(
        organization_id,
        SUSPENDED,
        "Suspend",
        "None of its credentials is taken any more, and its people cannot sign in, until it is "
        "resumed. Nothing of it is lost.",
    )


@blueprint.route("/<organization_id>/resume", methods=("GET", "POST"))
def resume(organization_id: str) -> Any:
    return _status(
        organization_id, ACTIVE, "Resume", "Its credentials are taken again, as they were."
    )


def _status(organization_id: str, status: str, verb: str, says: str) -> Any:
    require_operator(actor(), ORGANIZATIONS_WRITE)
    found, back = organizations.show(desk(), actor(), organization_id), url_of(organization_id)
    changes = organizations.OrganizationChanges(status=status)
    return shell.confirm(
        lambda: organizations.update(desk(), actor(), organization_id, changes),
        lambda: Question(f"{verb} {found.name}?", says, verb, back, danger=status == SUSPENDED),
        done=f"{found.name} is {status}.",
        leads_to=back,
    )


def url_of(organization_id: str) -> str:
    return url_for("dashboard.organizations.show", organization_id=organization_id)
