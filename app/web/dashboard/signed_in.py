"""Who is signed in, and as whom use cases are called."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

from flask import Request, current_app, g, redirect, request, url_for
from flask_login import UserMixin, current_user
from werkzeug.wrappers import Response

from app.admin import sessions
from app.admin.desk import Desk
from app.admin.users import UserView
from app.records import Actor, Organization
from app.web.dashboard.cookies import PATH
from app.wiring import services

COOKIE = "keyturn_session"


class SignedIn(UserMixin):
    """A user, as Flask-Login asks for one."""

    def __init__(self, user: UserView) -> None:
        self.user = user

    def get_id(self) -> str:
        return self.user.id


def load(asking: Request) -> SignedIn | None:
    """Whose session this request belongs to, if it has not ended."""
    secret = asking.cookies.get(COOKIE)
    found = sessions.signed_in(desk(), secret) if secret else None
    return None if found is None else SignedIn(found)


def is_signed_in() -> bool:
    return bool(current_user.is_authenticated)


def user() -> UserView:
    """The one who is signed in."""
    return cast("SignedIn", current_user).user


def actor() -> Actor:
    """The one who is signed in, as use cases know them."""
    if "actor" not in g:
        g.actor = sessions.actor_of(desk(), user(), g.origin)
    return cast("Actor", g.actor)


def desk() -> Desk:
    return services(current_app).desk


def organization() -> Organization:
    """The organization that is acted upon."""
    return desk().directory.organization(organization_id())


def organization_id() -> str:
    """The same, for use cases."""
    return actor().organization_id


def only_environment() -> str | None:
    """None where there are several: whether something is live or a test is always said."""
    environments = organization().environments
    return environments[0] if len(environments) == 1 else None


def may(scope: str) -> bool:
    """Whether the one who is signed in holds this scope of administration."""
    return scope in actor().scopes


def required() -> Any:
    """Nothing for those who are signed in; strangers are asked to sign in, and led back then."""
    if is_signed_in():
        return None
    return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]


def ask() -> Response:
    """To the sign-in page, and from there back to where one was."""
    # A form that is gone is not sent again, so back to the page that it was on.
    was = request.full_path if request.method == "GET" else request.referrer
    back = own_path(was)
    return redirect(url_for("dashboard.sign_in.index", next=back), 303)


def own_path(target: str | None) -> str | None:
    """A page of this dashboard as path and query; None for anything else (CWE-601)."""
    try:
        parts = urlsplit(target or "")
    except ValueError:
        return None
    if not parts.path.startswith(f"{PATH}/") or "\\" in parts.path or "//" in parts.path:
        return None
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return path if path.isprintable() and path != f"{PATH}/" else None
