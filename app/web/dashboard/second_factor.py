"""One's own second factor: set up by a QR code, proven by a code, and its recovery codes."""

from __future__ import annotations

from typing import Any

import segno
from flask import Blueprint, flash, g, redirect, url_for
from flask_wtf import FlaskForm
from markupsafe import Markup
from werkzeug.wrappers import Response
from wtforms import PasswordField
from wtforms.validators import InputRequired

from app.admin import second_factor, sessions
from app.web.dashboard import signed_in
from app.web.dashboard.fields import CODE_INPUT, Proof
from app.web.dashboard.shell import attempt, page
from app.web.dashboard.signed_in import confirmed, desk, goes_on

blueprint = Blueprint("second_factor", __name__)


class CodeForm(FlaskForm):
    """Proof that the app knows the secret."""

    code = Proof("Code that the app shows", [InputRequired()], render_kw=CODE_INPUT)


class OffForm(FlaskForm):
    """The password, to ask for no code any more."""

    password = PasswordField(
        "Your password", [InputRequired()], render_kw={"autocomplete": "current-password"}
    )


@blueprint.get("/account/second-factor")
def index() -> Any:
    """As it stands; for people who must have one, the first page that they see."""
    begun = _session()
    return page(
        "second_factor",
        CodeForm(),
        off=OffForm(),
        user=begun.user,
        must=begun.awaits is not None,
        left=second_factor.recovery_codes_left(desk(), begun),
        **_enrolment(),
    )


@blueprint.post("/account/second-factor")
@confirmed
def begin() -> Response:
    second_factor.begin(desk(), _session(), g.origin)
    return _back()


@blueprint.post("/account/second-factor/confirm")
def confirm() -> Any:
    form = CodeForm()
    enrolled = attempt(
        form,
        lambda: second_factor.confirm(desk(), _session(), form.code.data or "", g.origin),
    )
    if enrolled is None:
        shown = {"user": _session().user, "must": _session().awaits is not None, "left": 0}
        return page("second_factor", form, off=OffForm(formdata=None), **shown, **_enrolment())
    goes_on(enrolled.opened)
    return page("recovery_codes", codes=enrolled.recovery_codes, is_first=True)


@blueprint.route("/account/second-factor/off", methods=("GET", "POST"))
def turn_off() -> Any:
    form = OffForm()
    opened = attempt(
        form,
        lambda: second_factor.turn_off(desk(), _session(), form.password.data or "", g.origin),
    )
    if opened is None:
        return page("account_form", form, title="Turn the second factor off", danger=True)
    goes_on(opened)
    flash("Signing in asks for no code any more.")
    return _back()


@blueprint.post("/account/second-factor/recovery-codes")
@confirmed
def recovery_codes() -> Any:
    codes = second_factor.renew_recovery_codes(desk(), _session(), g.origin)
    return page("recovery_codes", codes=codes, is_first=False)


def _session() -> sessions.Session:
    return signed_in.session()


def _enrolment() -> dict[str, Any]:
    """What an app is told, as a picture and as text; nothing where nothing was begun."""
    found = second_factor.enrolment(desk(), _session())
    if found is None:
        return {"secret": None}
    # Without a style of its own, which the policy forbids; light behind it, also on a dark page.
    picture = segno.make(found.uri, error="m").svg_inline(
        scale=5, border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None, title="QR code"
    )
    groups = [found.secret[at : at + 4] for at in range(0, len(found.secret), 4)]
    return {"secret": " ".join(groups), "picture": Markup(picture)}  # noqa: S704 - our own SVG


def _back() -> Response:
    return redirect(url_for("dashboard.second_factor.index"), 303)
