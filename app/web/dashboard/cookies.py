"""The dashboard's cookies: the session's, a known browser's, and the one that ties forms to both.

Behind https they have names that a browser takes from this very host alone (``__Host-``, RFC
6265bis §4.1.3.2), so that no other host beside it can put one there. ``Lax``, not ``Strict``: links
from elsewhere lead to the page and not to the sign-in; what acts is a form, which has its token.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.wrappers import Response

from app.admin.sessions import Opened
from app.settings import Settings
from app.wiring import services

PATH = "/dashboard"
SESSION = "keyturn_session"
BROWSER = "keyturn_browser"
FORMS = "keyturn_forms"
SAME_SITE = "Lax"
KNOWN_FOR = timedelta(days=180)


class FormSessions(SecureCookieSessionInterface):
    """Flask's session, below the dashboard alone: a signed cookie with the CSRF token and words to
    be shown once; never who is signed in, and never a secret."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if not request.path.startswith(PATH):
            return None
        if app.secret_key is None:
            # Not before it is needed: the first start makes the master key after the app.
            app.secret_key = services(app).web_secret()
        return super().open_session(app, request)


def is_secure(settings: Settings) -> bool:
    """Whether browsers come here by https, which the issuer says; http is for loopback alone."""
    return settings.issuer.startswith("https:")


def name(settings: Settings, plain: str) -> str:
    """How a cookie is called."""
    return f"__Host-{plain}" if is_secure(settings) else plain


def path(settings: Settings) -> str:
    """Where a cookie is sent; the prefix asks for all of the host."""
    return "/" if is_secure(settings) else PATH


def keep(response: Response, settings: Settings, opened: Opened) -> None:
    """Give the browser the session's new secret."""
    _set(response, settings, SESSION, opened.secret, expires=opened.session.ends_at)


def keep_browser(response: Response, settings: Settings, known: str) -> None:
    """Let the browser be known again."""
    _set(response, settings, BROWSER, known, max_age=KNOWN_FOR)


def drop(response: Response, settings: Settings) -> None:
    """Take the session from the browser."""
    response.delete_cookie(
        name(settings, SESSION),
        path=path(settings),
        secure=is_secure(settings),
        httponly=True,
        samesite=SAME_SITE,
    )


def _set(response: Response, settings: Settings, plain: str, value: str, **also: object) -> None:
    response.set_cookie(
        name(settings, plain),
        value,
        path=path(settings),
        secure=is_secure(settings),
        httponly=True,
        samesite=SAME_SITE,
        **also,  # type: ignore[arg-type]
    )
