"""One's own account: name, password, and where one is signed in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from app.admin import account, sessions
from app.admin.fields import MAX_NAME
from app.policy.passwords import LONGEST, SHORTEST
from app.web.dashboard.browsers import browser_name
from app.web.dashboard.shell import attempt, page
from app.web.dashboard.signed_in import desk, goes_on, session, user

blueprint = Blueprint("account", __name__)


class NameForm(FlaskForm):
    """What one is called."""

    name = StringField(
        "Name", [InputRequired()], render_kw={"autocomplete": "name", "maxlength": MAX_NAME}
    )


class PasswordForm(FlaskForm):
    """Another password, by the present one."""

    present = PasswordField(
        "Present password", [InputRequired()], render_kw={"autocomplete": "current-password"}
    )
    password = PasswordField(
        "New password",
        [InputRequired()],
        description=f"{SHORTEST} to {LONGEST} characters.",
        render_kw={"autocomplete": "new-password"},
    )


@blueprint.get("/account")
def index() -> Any:
    return page(
        "account",
        sessions=sessions.list_own(desk(), session()),
        here=session().id,
        browser_name=browser_name,
    )


@blueprint.route("/account/name", methods=("GET", "POST"))
def name() -> Any:
    form = NameForm(name=user().name)

    def rename() -> bool:
        account.rename(desk(), session(), form.name.data or "", g.origin)
        return True

    if not attempt(form, rename):
        return page("account_form", form, title="Your name")
    flash("The name was changed.")
    return _back()


@blueprint.route("/account/password", methods=("GET", "POST"))
def password() -> Any:
    form = PasswordForm()
    opened = attempt(
        form,
        lambda: account.change_password(
            desk(), session(), form.present.data or "", form.password.data or "", g.origin
        ),
    )
    if opened is None:
        return page("account_form", form, title="Change your password")
    goes_on(opened)
    flash("The password was changed. You are signed out everywhere else.")
    return _back()


@blueprint.post("/account/sessions/<session_id>/end")
def end_session(session_id: str) -> Response:
    sessions.end_own(desk(), session(), session_id, g.origin)
    flash("That session has ended.")
    return _back()


@blueprint.post("/account/sessions/end-others")
def end_others() -> Response:
    sessions.end_others(desk(), session(), g.origin)
    flash("You are signed out everywhere else.")
    return _back()


def _back() -> Response:
    return redirect(url_for("dashboard.account.index"), 303)
