"""Light or dark: as the system has it, or as somebody has chosen."""

from __future__ import annotations

from flask import Blueprint, redirect, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from app.web.dashboard.cookies import PATH
from app.web.dashboard.signed_in import own_path

blueprint = Blueprint("appearance", __name__)

COOKIE = "keyturn_theme"
THEMES = ("light", "dark")
A_YEAR = 365 * 86400


def chosen() -> str | None:
    """None: as the system has it."""
    theme = request.cookies.get(COOKIE)
    return theme if theme in THEMES else None


@blueprint.post("/theme")
def choose() -> Response:
    """Remember the choice in this browser."""
    theme = request.form.get("theme", "")
    response = redirect(own_path(request.referrer) or f"{PATH}/", 303)
    if theme in THEMES:
        response.set_cookie(COOKIE, theme, max_age=A_YEAR, path=PATH, samesite="Lax")
    elif theme == "auto":
        response.delete_cookie(COOKIE, path=PATH)
    else:
        raise BadRequest
    return response
