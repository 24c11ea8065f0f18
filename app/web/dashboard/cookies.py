"""Flask's session: a signed cookie that ties forms to the browser that they were shown to.

It holds the CSRF token and words to be shown once; never who is signed in, and never a secret.
"""

from __future__ import annotations

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from app.wiring import services

PATH = "/dashboard"


class FormSessions(SecureCookieSessionInterface):
    """Sessions below the dashboard alone: elsewhere no such cookie is read or set."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if not request.path.startswith(PATH):
            return None
        if app.secret_key is None:
            # Not before it is needed: the first start makes the master key after the app.
            app.secret_key = services(app).web_secret()
        return super().open_session(app, request)
