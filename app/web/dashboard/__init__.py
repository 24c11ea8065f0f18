"""The dashboard: pages over the use cases that CLI and ``/v1`` call; there is no logic in it.

A page is an area's module with its blueprint, and one line in ``pages.PAGES``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g
from flask import request as http
from flask_bootstrap import Bootstrap5
from flask_login import LoginManager
from flask_wtf.csrf import CSRFProtect

from app.errors import Forbidden
from app.web.dashboard import appearance, cookies, errors, signed_in, words
from app.web.dashboard.cookies import PATH, FormSessions
from app.web.dashboard.navigation import sections
from app.web.dashboard.pages import BESIDE, OPEN, PAGES
from app.web.dashboard.shell import link_to
from app.wiring import services

__all__ = ["mount"]

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    # Bootstrap's own marks in form fields are data: images.
    "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

csrf = CSRFProtect()


def mount(app: Flask) -> None:
    """Everything below ``/dashboard``; nothing here touches any other path."""
    known = services(app).settings
    app.config.update(
        BOOTSTRAP_SERVE_LOCAL=True,
        SESSION_COOKIE_NAME=cookies.name(known, cookies.FORMS),
        SESSION_COOKIE_PATH=cookies.path(known),
        SESSION_COOKIE_SAMESITE=cookies.SAME_SITE,
        SESSION_COOKIE_SECURE=cookies.is_secure(known),
        # A form is good as long as its session; another site's is seen by its origin, TLS or not.
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        WTF_CSRF_CHECK_DEFAULT=False,
    )
    app.session_interface = FormSessions()
    Bootstrap5(app)
    csrf.init_app(app)
    logins = LoginManager()
    logins.session_protection = None  # our cookie is the session; Flask's only signs forms
    logins.init_app(app, add_context_processor=False)
    logins.request_loader(signed_in.load)
    logins.unauthorized_handler(signed_in.ask)
    words.register(app)
    app.register_blueprint(_dashboard())


def _dashboard() -> Blueprint:
    """A new one for each app: blueprints remember what was mounted on them."""
    dashboard = Blueprint(
        "dashboard",
        __name__,
        url_prefix=PATH,
        template_folder="templates",
        static_folder="static",
    )
    dashboard.before_request(same_origin)
    dashboard.before_request(csrf.protect)
    dashboard.before_request(_require_sign_in)
    dashboard.after_request(guard)
    dashboard.context_processor(_shell)
    for blueprint in (*OPEN, *BESIDE, *(one for page in PAGES for one in page.blueprints)):
        dashboard.register_blueprint(blueprint)
    errors.register(dashboard)
    return dashboard


def same_origin() -> None:
    """A form of another site does not act here, whatever cookies it brings (CSRF)."""
    if http.method == "POST":
        issuer = urlsplit(services(current_app).settings.issuer)
        here = f"{issuer.scheme}://{issuer.netloc}"
        if http.headers.get("Origin") != here:
            raise Forbidden(f"The form was not sent from this site, which is {here}")


def _require_sign_in() -> Any:
    """Every page is for people who are signed in, unless it says otherwise."""
    public = {f"dashboard.{blueprint.name}" for blueprint in OPEN}
    if http.endpoint != "dashboard.static" and http.blueprint not in public:
        return signed_in.required()
    return None


def _shell() -> dict[str, Any]:
    """What each page is framed by; errors that leave the database in doubt have no frame."""
    if "frameless" in g or not signed_in.is_signed_in():
        return {"theme": appearance.chosen(), "signed_in": None, "sections": ()}
    organization = signed_in.organization()
    return {
        "theme": appearance.chosen(),
        "signed_in": signed_in.user(),
        "organization": organization,
        "labels": organization.labels,
        "sections": sections(PAGES, signed_in.actor(), organization.labels, http.blueprint),
        "link_to": link_to,
        "may": signed_in.may,
        "is_elsewhere": signed_in.is_elsewhere(),
    }


def guard(response: Response) -> Response:
    """What a page of ours may load, and that nobody frames or keeps it."""
    response.headers["Content-Security-Policy"] = POLICY
    # Not `no-referrer`: browsers that send no Referer send no Origin either.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    if http.endpoint != "dashboard.static":
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Cookie"
    return response
