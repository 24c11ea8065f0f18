"""Sign in: by address and password or by the one-time link, then by code; choose a password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, session, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired

from app.admin import account, proofs, sessions, sign_in
from app.admin.sessions import Opened, Session
from app.errors import RateLimited, SignInRefused
from app.policy.passwords import LONGEST, SHORTEST
from app.web.dashboard import cookies, signed_in
from app.web.dashboard.cookies import PATH
from app.web.dashboard.fields import Proof
from app.web.dashboard.shell import attempt, page
from app.web.dashboard.signed_in import desk, settings

blueprint = Blueprint("sign_in", __name__)


class SignInForm(FlaskForm):
    """Whether an address has an account is not said: every mistake is one answer."""

    email = StringField(
        "E-mail address",
        [InputRequired()],
        render_kw={"type": "email", "autocomplete": "username", "autofocus": True},
    )
    password = PasswordField(
        "Password", [InputRequired()], render_kw={"autocomplete": "current-password"}
    )
    next = HiddenField()


class LinkForm(FlaskForm):
    """The secret is behind the link's ``#``; a script moves it into the form."""

    secret = Proof("The part of your link behind the #", render_kw={"autocomplete": "off"})
    next = HiddenField()


class CodeForm(FlaskForm):
    """Of the app, or one of the recovery codes."""

    code = Proof(
        "Code",
        [InputRequired()],
        description="Six digits from your authenticator app, or a recovery code.",
        render_kw={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"},
    )
    next = HiddenField()


class PasswordForm(FlaskForm):
    """The first password, and what one is called."""

    name = StringField("Your name", [InputRequired()], render_kw={"autocomplete": "name"})
    password = PasswordField(
        "Password",
        [InputRequired()],
        description=f"{SHORTEST} to {LONGEST} characters. A few words that do not belong together "
        "are easier to remember than signs.",
        render_kw={"autocomplete": "new-password"},
    )
    next = HiddenField()


@blueprint.route("/sign-in", methods=("GET", "POST"))
def index() -> Any:
    if signed_in.is_signed_in() and request.method == "GET":
        return redirect(_next(request.args.get("next")), 303)
    form = SignInForm(next=request.args.get("next"))

    def prove() -> Opened:
        known = request.cookies.get(cookies.name(settings(), cookies.BROWSER))
        return sign_in.by_password(
            desk(), form.email.data or "", form.password.data or "", g.origin, browser=known
        )

    return _step("sign_in", form, prove, link=LinkForm(formdata=None, next=form.next.data))


@blueprint.post("/sign-in/link")
def link() -> Any:
    """Opening a link uses nothing up: what is behind the ``#`` comes by this form."""
    form = LinkForm()

    def prove() -> Opened:
        return sign_in.by_link(desk(), (form.secret.data or "").strip(), g.origin)

    return _step("sign_in_link", form, prove, at="secret")


@blueprint.route("/sign-in/code", methods=("GET", "POST"))
def code() -> Any:
    waiting = signed_in.begun()
    if waiting is None or waiting.awaits != sessions.CODE:
        return redirect(f"{PATH}/", 303)
    form = CodeForm(next=request.args.get("next"))

    def prove() -> Opened:
        known = request.cookies.get(cookies.name(settings(), cookies.BROWSER))
        return sign_in.by_code(desk(), waiting, form.code.data or "", g.origin, browser=known)

    return _step("sign_in_code", form, prove, at="code", email=waiting.user.email)


@blueprint.route("/sign-in/password", methods=("GET", "POST"))
def password() -> Any:
    """Choose one, where there is none: after an invitation, or a reset."""
    waiting = signed_in.begun()
    if waiting is None or waiting.awaits != sessions.PASSWORD:
        return redirect(f"{PATH}/", 303)
    form = PasswordForm(name=waiting.user.name, next=request.args.get("next"))
    opened = attempt(
        form,
        lambda: account.choose_password(
            desk(), waiting, form.password.data or "", g.origin, name=form.name.data
        ),
    )
    if opened is None:
        return page("sign_in_password", form, email=waiting.user.email)
    return _led_on(opened, form.next.data)


@blueprint.post("/sign-out")
def sign_out() -> Response:
    begun = signed_in.begun()
    if begun is not None:
        sessions.sign_out(desk(), begun, g.origin)
    session.clear()
    response = redirect(f"{PATH}/sign-in", 303)
    cookies.drop(response, settings())
    return response


def _step(
    template: str,
    form: FlaskForm,
    prove: Callable[[], Opened],
    at: str | None = None,
    **values: Any,
) -> Any:
    """One proof: its form again where it was refused, ``at`` its field or above all, else on to
    what comes next."""
    status, message, wait = 200, None, None
    if form.validate_on_submit():
        try:
            return _led_on(prove(), form.next.data)
        except SignInRefused as refused:
            status = 403
            if at is None:
                message = refused.description
            else:
                form[at].errors = [refused.description]
        except RateLimited as refused:
            status, wait = 429, refused.retry_after
            message = "Too many attempts: wait a little, then try again"
    elif form.is_submitted():
        status = 400
    shown = render_template(
        f"dashboard/{template}.html", form=form, message=message, wait=wait, **values
    )
    return shown, status, {"Retry-After": str(wait)} if wait else {}


def _led_on(opened: Opened, target: str | None) -> Response:
    session.clear()  # forms that were shown before are another person's, for all we know
    awaits = opened.session.awaits
    if awaits is None:
        response = redirect(_next(target), 303)
        _know_again(response, opened.session)
    else:
        step = url_for(signed_in.NEXT_STEP[awaits], next=signed_in.own_path(target))
        response = redirect(step, 303)
    cookies.keep(response, settings(), opened)
    return response


def _know_again(response: Response, opened: Session) -> None:
    known = request.cookies.get(cookies.name(settings(), cookies.BROWSER))
    if not proofs.is_known(desk(), opened.user.email, known):
        fresh = proofs.known_browser(desk(), opened.user.email)
        cookies.keep_browser(response, settings(), fresh)


def _next(target: str | None) -> str:
    return signed_in.own_path(target) or f"{PATH}/"
