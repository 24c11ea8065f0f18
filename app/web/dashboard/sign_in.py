"""Sign in by the one-time link, and out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, g, redirect, render_template, request, session
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField

from app.admin import sessions
from app.errors import Forbidden
from app.web.dashboard import signed_in
from app.web.dashboard.cookies import PATH
from app.wiring import services

blueprint = Blueprint("sign_in", __name__)


class SignInForm(FlaskForm):
    """The secret is behind the link's ``#``; a script moves it into the form."""

    secret = PasswordField("The part of your sign-in link behind the #")
    next = HiddenField()


@blueprint.route("/sign-in", methods=("GET", "POST"))
def index() -> Any:
    form = SignInForm(next=request.args.get("next"))
    if request.method == "GET":
        return render_template("dashboard/sign_in.html", form=form, message=None)
    found = services(current_app)
    try:
        begun = sessions.sign_in(found.desk, (form.secret.data or "").strip(), g.origin)
    except Forbidden as error:
        page = render_template("dashboard/sign_in.html", form=form, message=error.description)
        return page, 403
    session.clear()  # forms that were shown before are another browser's, for all we know
    response = redirect(signed_in.own_path(form.next.data) or f"{PATH}/", 303)
    response.set_cookie(
        signed_in.COOKIE,
        begun.secret,
        expires=begun.expires_at,
        path=PATH,
        secure=found.settings.issuer.startswith("https:"),
        httponly=True,
        samesite="Strict",
    )
    return response


@blueprint.post("/sign-out")
def sign_out() -> Response:
    if signed_in.is_signed_in():
        sessions.sign_out(signed_in.desk(), signed_in.user(), g.origin)
    session.clear()
    response = redirect(f"{PATH}/sign-in", 303)
    response.delete_cookie(signed_in.COOKIE, path=PATH)
    return response
