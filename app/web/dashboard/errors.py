"""Errors become pages, here and nowhere else."""

from __future__ import annotations

import logging

from flask import Blueprint, g, render_template
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from app.errors import NotFound
from app.web.problems import status_of
from keyturn.errors import KeyturnError

log = logging.getLogger(__name__)

_TITLES = {
    400: "This cannot be done so",
    403: "This is not yours to do",
    404: "There is no such page",
    409: "Something else came first",
    429: "Too many attempts",
    503: "Away for a moment",
}


def register(dashboard: Blueprint) -> None:
    """Render what any page of this blueprint raises."""
    dashboard.register_error_handler(KeyturnError, on_refusal)
    dashboard.register_error_handler(HTTPException, on_http)
    dashboard.register_error_handler(Exception, on_bug)
    dashboard.add_url_rule("/<path:unknown>", "unknown", _unknown, methods=("GET", "POST"))


def _unknown(unknown: str) -> str:
    raise NotFound("page")


def on_refusal(error: KeyturnError) -> tuple[str, int]:
    """What the person may know of it; the detail is for the log."""
    status = status_of(error)
    if status >= 500:
        log.warning("refused until it is back: %s", error.detail or error.description)
    return _page(status, error.description), status


def on_http(error: HTTPException) -> tuple[str, int]:
    if isinstance(error, CSRFError):
        return _page(400, "The form was shown in another session: open it anew"), 400
    status = error.code or 500
    return _page(status, error.description or error.name), status


def on_bug(error: Exception) -> tuple[str, int]:
    log.exception("a page failed")
    return _page(500, "Something went wrong on our side"), 500


def _page(status: int, says: str) -> str:
    if status >= 500:
        g.frameless = True  # a frame is read from the database, which may be what is wrong
    title = _TITLES.get(status, "This did not work")
    return render_template(
        "dashboard/error.html", title=title, says=says, request_id=g.request_id, status=status
    )
