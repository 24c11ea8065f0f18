"""Who is signed in, and as whom use cases are called."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import (
    Request,
    after_this_request,
    current_app,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_login import UserMixin, current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import Field, PasswordField
from wtforms.validators import InputRequired

from app.admin import account, sessions
from app.admin.desk import Desk
from app.admin.rights import require
from app.admin.sessions import Opened, Session
from app.admin.users import UserView
from app.errors import Invalid
from app.records import Actor, Organization, Origin
from app.settings import Settings
from app.web.dashboard import cookies
from app.web.dashboard.cookies import PATH
from app.web.dashboard.fields import CODE_INPUT, SHOWN_AGAIN, Proof
from app.wiring import services

V = TypeVar("V", bound=Callable[..., Any])

NEXT_STEP = {
    sessions.CODE: "dashboard.sign_in.code",
    sessions.PASSWORD: "dashboard.sign_in.password",
    sessions.SECOND_FACTOR: "dashboard.second_factor.index",
}
"""Where somebody goes on whose session waits for something."""


class SignedIn(UserMixin):
    """A user, as Flask-Login asks for one."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def is_authenticated(self) -> bool:
        return self.session.awaits is None

    def get_id(self) -> str:
        return self.session.user.id


def load(asking: Request) -> SignedIn | None:
    """Whose session this request belongs to, if it has not ended."""
    secret = asking.cookies.get(cookies.name(settings(), cookies.SESSION))
    found = sessions.find(desk(), secret) if secret else None
    return None if found is None else SignedIn(found)


def is_signed_in() -> bool:
    """Whether somebody is, and their session waits for nothing."""
    return bool(current_user.is_authenticated)


def begun() -> Session | None:
    """The session of this request, even if it waits for something yet."""
    found = current_user._get_current_object()
    return found.session if isinstance(found, SignedIn) else None


def session() -> Session:
    """The session of somebody who is signed in."""
    return cast("SignedIn", current_user).session


def user() -> UserView:
    """The one who is signed in."""
    return session().user


def actor() -> Actor:
    """The one who is signed in, as use cases know them."""
    if "actor" not in g:
        g.actor = sessions.actor_of(desk(), session(), g.origin)
    return cast("Actor", g.actor)


def desk() -> Desk:
    return services(current_app).desk


def settings() -> Settings:
    return desk().settings


def organization() -> Organization:
    """The organization that is acted upon."""
    return desk().directory.organization(organization_id())


def organization_id() -> str:
    """The same, for use cases: one's own, unless somebody of the operator's looks at another."""
    return session().looks_at or actor().organization_id


def is_elsewhere() -> bool:
    """Whether it is another one than one's own."""
    return organization_id() != actor().organization_id


def only_environment() -> str | None:
    """None where there are several: whether something is live or a test is always said."""
    environments = organization().environments
    return environments[0] if len(environments) == 1 else None


def may(scope: str) -> bool:
    """Whether the one who is signed in holds this scope of administration."""
    return scope in actor().scopes


def goes_on(opened: Opened) -> None:
    """This request's session has a new secret: the answer brings it to the browser."""
    current_user.session = opened.session
    g.pop("actor", None)

    @after_this_request
    def keep(response: Any) -> Any:
        cookies.keep(response, settings(), opened)
        return response


# Who may go where ----------------------------------------------------------------------------


def required() -> Any:
    """Nothing for those who are signed in; strangers are asked to sign in, and led back then."""
    if is_signed_in():
        return None
    waiting = begun()
    if waiting is None or waiting.awaits is None:
        return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    here = NEXT_STEP[waiting.awaits]
    if waiting.awaits == sessions.SECOND_FACTOR and _blueprint(here) == request.blueprint:
        return None
    return redirect(url_for(here, next=came_from()), 303)


def ask() -> Response:
    """To the sign-in page, and from there back to where one was."""
    return redirect(url_for("dashboard.sign_in.index", next=came_from()), 303)


def came_from() -> str | None:
    """The page to come back to."""
    # A form that is gone is not sent again, so back to the page that it was on.
    return own_path(request.full_path if request.method == "GET" else request.referrer)


def own_path(target: str | None) -> str | None:
    """A page of this dashboard as path and query; None for anything else (CWE-601)."""
    if not target or not target.isprintable():
        return None
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if not parts.path.startswith(f"{PATH}/"):
        return None
    if any(odd in parts.path for odd in ("\\", "//", "/../", "/./")):
        return None
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return path if path != f"{PATH}/" else None


def _blueprint(endpoint: str) -> str:
    return endpoint.rpartition(".")[0]


def needs(scope: str) -> Callable[[V], V]:
    """A page for people who hold this scope: others are told so before they fill in a form. The
    use case asks as well."""

    def decorated(view: V) -> V:
        @wraps(view)
        def asking(*args: Any, **also: Any) -> Any:
            require(actor(), scope)
            return view(*args, **also)

        return cast("V", asking)

    return decorated


# The password, or a code, again --------------------------------------------------------------


class ConfirmForm(FlaskForm):
    """Asked for between a form and what it does: the password, or a code of the app that is the
    second factor."""

    confirm_password = PasswordField(
        "Your password", [InputRequired()], render_kw={"autocomplete": "current-password"}
    )
    confirm_code = Proof("Or the code that your app shows", render_kw=CODE_INPUT)

    def __init__(self) -> None:
        super().__init__()
        self.proof: Field = self.confirm_password
        self.prove: Callable[[Desk, Session, str, Origin], Opened] = account.confirm
        if not user().has_second_factor:
            del self.confirm_code
        elif self.confirm_code.data:
            self.proof, self.prove = self.confirm_code, account.confirm_by_code
            self.confirm_password.validators = ()

    def proven(self) -> bool:
        """Whether it was sent, and is right; what is wrong stands in it."""
        if self.proof.data is None or not self.validate():
            return False
        try:
            goes_on(self.prove(desk(), session(), self.proof.data, g.origin))
        except Invalid as wrong:
            self.proof.errors = [wrong.description]
            return False
        return True


def confirmed(view: V) -> V:
    """What this view does by POST is done only for somebody who has proven within the last minutes
    who they are; others are asked to, and then the same form goes on."""

    @wraps(view)
    def asking(*args: Any, **also: Any) -> Any:
        if request.method != "POST" or session().is_confirmed(desk().clock()):
            return view(*args, **also)
        form = ConfirmForm()
        if form.proven():
            return view(*args, **also)
        sent = [
            (name, SHOWN_AGAIN[name](value) if value and name in SHOWN_AGAIN else value)
            for name, values in request.form.lists()
            for value in values
            if name not in form
        ]
        return render_template("dashboard/password_again.html", form=form, sent=sent), 403

    return cast("V", asking)
