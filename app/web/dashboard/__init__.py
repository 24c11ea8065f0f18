"""The dashboard's first pages: sign in by the one-time link, and see what there is."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template
from flask import request as http
from werkzeug.wrappers import Response as AnyResponse

from app.admin import activity, clients, sessions, signing_keys
from app.admin.users import UserView
from app.apikeys import lifecycle
from app.builtin import SIGNING_KEYS_READ
from app.errors import Forbidden
from app.wiring import Services, services

blueprint = Blueprint(
    "dashboard",
    __name__,
    url_prefix="/dashboard",
    template_folder="templates",
    static_folder="static",
)

COOKIE = "keyturn_session"
SHOWN = 10
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


@blueprint.after_request
def guard(response: Response) -> Response:
    """What a page of ours may load, and that nobody frames or keeps it."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    if http.endpoint != "dashboard.static":
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Cookie"
    return response


@blueprint.before_request
def same_origin() -> None:
    """A form of another site does not act here, whatever cookies it brings (CSRF)."""
    if http.method == "POST":
        issuer = urlsplit(services(current_app).settings.issuer)
        if http.headers.get("Origin") != f"{issuer.scheme}://{issuer.netloc}":
            raise Forbidden("The form was not sent from this site")


@blueprint.get("/sign-in")
def sign_in_page() -> str:
    """The secret is behind the link's ``#``; a script moves it into the form."""
    return render_template("dashboard/sign_in.html", message=None)


@blueprint.post("/sign-in")
def sign_in() -> AnyResponse:
    found = services(current_app)
    try:
        session = sessions.sign_in(found.desk, http.form.get("secret", "").strip(), g.origin)
    except Forbidden as error:
        page = render_template("dashboard/sign_in.html", message=error.description)
        return make_response(page, 403)
    response = redirect("/dashboard/", 303)
    response.set_cookie(
        COOKIE,
        session.secret,
        expires=session.expires_at,
        path="/dashboard",
        secure=found.settings.issuer.startswith("https:"),
        httponly=True,
        samesite="Strict",
    )
    return response


@blueprint.post("/sign-out")
def sign_out() -> AnyResponse:
    found = services(current_app)
    user = _signed_in(found)
    if user is not None:
        sessions.sign_out(found.desk, user, g.origin)
    response = redirect("/dashboard/sign-in", 303)
    response.delete_cookie(COOKIE, path="/dashboard")
    return response


@blueprint.get("/")
def overview() -> AnyResponse | str:
    """What there is, read by the use cases that API and command line call, as this user."""
    found = services(current_app)
    user = _signed_in(found)
    if user is None:
        return redirect("/dashboard/sign-in", 303)
    actor = sessions.actor_of(found.desk, user, g.origin)
    sees_keys = SIGNING_KEYS_READ in actor.scopes
    return render_template(
        "dashboard/overview.html",
        user=user,
        organization=found.directory.organization(user.organization_id),
        clients=clients.list_page(found.desk, actor, limit=SHOWN),
        keys=lifecycle.list_page(found.desk, actor, limit=SHOWN),
        signing_keys=signing_keys.list_all(found.desk, actor) if sees_keys else (),
        events=activity.list_page(found.desk, actor, limit=SHOWN),
    )


def _signed_in(found: Services) -> UserView | None:
    secret = http.cookies.get(COOKIE)
    return sessions.signed_in(found.desk, secret) if secret else None
