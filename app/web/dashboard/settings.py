"""What an organization can set: the way to each page of it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from app.web.dashboard.shell import page

blueprint = Blueprint("settings", __name__, url_prefix="/settings")


@blueprint.get("")
def index() -> Any:
    return page("settings")
