"""The people of an organization: invited, given a role, kept out, and what they leave behind."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import RadioField, SelectField, StringField
from wtforms.validators import InputRequired

from app.admin import organizations, users
from app.admin.fields import MAX_EMAIL, MAX_NAME
from app.admin.organizations import OrganizationChanges
from app.admin.roles import ABOUT, ROLES
from app.admin.users import NewUser, SignIn, UserChanges, UserView
from app.apikeys import leavers
from app.apikeys.endings import REASONS
from app.builtin import CLIENTS_READ, KEYS_READ, USERS_WRITE
from app.records import ACTIVE, DISABLED
from app.web.dashboard import filters, shell
from app.web.dashboard.fields import choices
from app.web.dashboard.shell import OnceForm, Question, attempt, make, page, query
from app.web.dashboard.signed_in import (
    actor,
    confirmed,
    desk,
    needs,
    organization,
    organization_id,
    user,
)

blueprint = Blueprint("people", __name__)

SHOWN_OF_LEAVER = 100
"""Of the keys and secrets that somebody made, on a page; all of them end together anyway."""
_ROLES = choices((name, f"{name.capitalize()} – {ABOUT[name]}") for name in ROLES)


class InvitationForm(OnceForm):
    """Somebody new, who signs in first by a link."""

    email = StringField(
        "E-mail address",
        [InputRequired()],
        description="They sign in by it; it belongs to one person for good.",
        render_kw={"type": "email", "maxlength": MAX_EMAIL, "autocomplete": "off"},
    )
    name = StringField("Name", render_kw={"maxlength": MAX_NAME, "autocomplete": "off"})
    role = RadioField("Role", [InputRequired()], choices=_ROLES, default="developer")


class RoleForm(FlaskForm):
    """Another role; whoever gets one signs in anew."""

    role = RadioField("Role", [InputRequired()], choices=_ROLES)


class LeaverForm(FlaskForm):
    """Why somebody's credentials end."""

    reason = SelectField(
        "Reason",
        choices=choices((one, one.replace("_", " ").capitalize()) for one in REASONS),
        default="employee_left",
    )


@blueprint.get("/people")
def index() -> Any:
    people, refused = filters.found(
        lambda: users.list_page(
            desk(), actor(), cursor=query("cursor"), organization_id=organization_id()
        )
    )
    return page(
        "people",
        people=people,
        refused=refused,
        may_write=USERS_WRITE in actor().scopes,
        asks=organization().requires_second_factor,
    )


@blueprint.route("/people/new", methods=("GET", "POST"))
@needs(USERS_WRITE)
@confirmed
def new() -> Any:
    form = InvitationForm()

    def invite(acting: Any) -> SignIn:
        said = NewUser(
            email=form.email.data or "",
            role=form.role.data,
            name=(form.name.data or "").strip(),
            organization_id=organization_id(),
        )
        return users.create(desk(), acting, said)

    made = make(form, invite, leads_to=_person)
    if made is None:
        return page("people_new", form)
    return _link(made, "Invitation")


@blueprint.get("/people/<user_id>")
def person(user_id: str) -> Any:
    found = _shown(user_id)
    return page(
        "people_person",
        RoleForm(role=found.role),
        person=found,
        is_self=found.id == user().id,
        may_write=USERS_WRITE in actor().scopes,
        sees_held={KEYS_READ, CLIENTS_READ} <= actor().scopes.tokens,
    )


@blueprint.post("/people/<user_id>/role")
@needs(USERS_WRITE)
@confirmed
def role(user_id: str) -> Any:
    form = RoleForm()

    def change() -> UserView:
        return _changed(user_id, role=form.role.data or "")

    if attempt(form, change) is None:
        return page("people_role", form, person=_shown(user_id))
    flash("The role was changed. They sign in anew.")
    return redirect(_person(user_id), 303)


@blueprint.post("/people/<user_id>/disable")
@needs(USERS_WRITE)
@confirmed
def disable(user_id: str) -> Response:
    _changed(user_id, status=DISABLED)
    flash("They are signed out, and kept out until you enable them.")
    return redirect(_person(user_id), 303)


@blueprint.post("/people/<user_id>/enable")
@needs(USERS_WRITE)
@confirmed
def enable(user_id: str) -> Response:
    _changed(user_id, status=ACTIVE)
    flash("They can sign in again.")
    return redirect(_person(user_id), 303)


@blueprint.post("/people/<user_id>/sign-out")
@needs(USERS_WRITE)
@confirmed
def sign_out(user_id: str) -> Response:
    users.sign_out(desk(), actor(), user_id, organization_id=organization_id())
    flash("They are signed out everywhere.")
    return redirect(_person(user_id), 303)


@blueprint.post("/people/<user_id>/reset")
@needs(USERS_WRITE)
@confirmed
def reset(user_id: str) -> Any:
    whole = request.form.get("second_factor") == "yes"
    return _link(
        users.reset(
            desk(), actor(), user_id, second_factor=whole, organization_id=organization_id()
        ),
        "New sign-in link",
    )


@blueprint.route("/people/<user_id>/remove", methods=("GET", "POST"))
@needs(USERS_WRITE)
@confirmed
def remove(user_id: str) -> Any:
    """What they made stays, until it is ended on the page that this leads to."""
    return shell.confirm(
        lambda: users.remove(desk(), actor(), user_id, organization_id=organization_id()),
        lambda: Question(
            f"Remove {_shown(user_id).name}?",
            "They are signed out and gone for good. What they did stays in the activity log; what "
            "they made is shown next, to be ended.",
            "Remove",
            _person(user_id),
        ),
        done="They were removed. This is what they have had in their hands.",
        leads_to=url_for(".credentials", user_id=user_id),
    )


@blueprint.route("/people/<user_id>/credentials", methods=("GET", "POST"))
@confirmed
def credentials(user_id: str) -> Any:
    """All that this person made, also when they are gone."""
    form = LeaverForm()
    ended = attempt(
        form,
        lambda: leavers.revoke_all(
            desk(), actor(), user_id, reason=form.reason.data, organization_id=organization_id()
        ),
    )
    if ended is not None:
        count = len(ended.api_keys) + len(ended.client_secrets)
        flash(f"Ended: {count} credential{'' if count == 1 else 's'}.")
        return redirect(url_for(".credentials", user_id=user_id), 303)
    held, refused = filters.tried(
        lambda: leavers.held(
            desk(),
            actor(),
            user_id,
            limit=SHOWN_OF_LEAVER,
            cursor=query("cursor"),
            organization_id=organization_id(),
        ),
        leavers.Held((), ()),
    )
    return page("people_credentials", form, user_id=user_id, held=held, refused=refused)


@blueprint.post("/people/second-factor")
@needs(USERS_WRITE)
@confirmed
def second_factor() -> Response:
    """Whether everybody here needs one."""
    wanted = request.form.get("require") == "yes"
    changes = OrganizationChanges(require_second_factor=wanted)
    organizations.update(desk(), actor(), organization_id(), changes)
    flash("Everybody needs a second factor now." if wanted else "A second factor is up to each.")
    return redirect(url_for(".index"), 303)


def _shown(user_id: str) -> UserView:
    return users.show(desk(), actor(), user_id, organization_id=organization_id())


def _changed(user_id: str, **changes: str) -> UserView:
    changed = UserChanges(**changes)
    return users.update(desk(), actor(), user_id, changed, organization_id=organization_id())


def _link(made: SignIn, title: str) -> Any:
    return page("people_link", title=title, made=made)


def _person(user_id: str) -> str:
    return url_for("dashboard.people.person", user_id=user_id)
