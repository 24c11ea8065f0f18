"""The dashboard: pages over the use cases that CLI and ``/v1`` call; there is no logic in it.

A page is an area's module with its blueprint, and one line in ``PAGES``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g
from flask import request as http
from flask_bootstrap import Bootstrap5
from flask_login import LoginManager
from flask_wtf.csrf import CSRFProtect

from app.builtin import (
    AUDIT_READ,
    CLIENTS_READ,
    KEYS_READ,
    ORGANIZATIONS_READ,
    SCOPES_READ,
    SIGNING_KEYS_READ,
    USAGE_READ,
    USERS_READ,
)
from app.errors import Forbidden
from app.web.dashboard import (
    account,
    activity,
    api_key_ends,
    api_keys,
    appearance,
    client_secrets,
    clients,
    cookies,
    errors,
    inspector,
    limits,
    organization,
    organizations,
    overview,
    people,
    plans,
    presets,
    refusals,
    resources,
    scopes,
    second_factor,
    settings,
    sign_in,
    signed_in,
    signing_keys,
    words,
)
from app.web.dashboard.cookies import PATH, FormSessions
from app.web.dashboard.navigation import INSTALLATION, SETTINGS, Page, sections
from app.web.dashboard.shell import link_to
from app.wiring import services

__all__ = ["mount"]

PAGES = (
    Page(overview.blueprint, "Overview"),
    Page(
        activity.blueprint,
        "Activity",
        scope=AUDIT_READ,
        about="Who did what to which, as a list and as a file",
    ),
    Page(
        refusals.blueprint,
        "Why was I refused?",
        scope=AUDIT_READ,
        about="The exact reason of a refusal, by its request ID",
    ),
    Page(
        api_keys.blueprint,
        "api_keys",
        SETTINGS,
        KEYS_READ,
        about="Keys for programs: made, restricted, rotated, revoked",
        also=(api_key_ends.blueprint,),
    ),
    Page(
        inspector.blueprint,
        "Inspector",
        SETTINGS,
        KEYS_READ,
        about="Which rule blocks a key",
    ),
    Page(
        clients.blueprint,
        "Clients",
        SETTINGS,
        CLIENTS_READ,
        about="Services that obtain tokens with a client_id and a secret",
        also=(client_secrets.blueprint,),
    ),
    Page(
        scopes.blueprint,
        "Scopes",
        SETTINGS,
        SCOPES_READ,
        about="What can be granted, and what comes with it",
    ),
    Page(
        presets.blueprint,
        "Presets",
        SETTINGS,
        SCOPES_READ,
        about="Scopes that are granted together, by a name",
    ),
    Page(
        resources.blueprint,
        "Resources",
        SETTINGS,
        SCOPES_READ,
        about="The APIs that tokens are meant for",
    ),
    Page(
        limits.blueprint,
        "Plan and limits",
        SETTINGS,
        USAGE_READ,
        about="What your plan allows, how much of it is used, and the limits that hold",
    ),
    Page(
        organization.blueprint,
        "Organization",
        SETTINGS,
        about="How its keys look, how refusals read, and what it asks of its keys",
    ),
    Page(
        organizations.blueprint,
        "Organizations",
        INSTALLATION,
        ORGANIZATIONS_READ,
        is_for_operator=True,
        about="Who is on which plan, and whose credentials are taken",
    ),
    Page(
        plans.blueprint,
        "Plans",
        INSTALLATION,
        ORGANIZATIONS_READ,
        is_for_operator=True,
        about="How many keys organizations have, and how often they are taken",
    ),
    Page(
        signing_keys.blueprint,
        "Signing keys",
        INSTALLATION,
        SIGNING_KEYS_READ,
        is_for_operator=True,
        about="The keys that sign tokens",
    ),
    Page(people.blueprint, "People", SETTINGS, USERS_READ, about="Who may sign in, and as what"),
)
"""Every area, in the order of the navigation."""

BESIDE = (settings.blueprint, account.blueprint, second_factor.blueprint)
"""Pages that are reached by a heading of the navigation, or by one's own menu."""

OPEN = (sign_in.blueprint, appearance.blueprint)
"""What can be reached without being signed in."""

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
