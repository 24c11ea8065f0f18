"""The first page: what there is, and what was done with it."""

from __future__ import annotations

from flask import Blueprint, render_template

from app.admin import activity, clients, signing_keys
from app.apikeys import lifecycle
from app.builtin import SIGNING_KEYS_READ
from app.web.dashboard.signed_in import actor, desk

blueprint = Blueprint("overview", __name__)

SHOWN = 10


@blueprint.get("/")
def index() -> str:
    """What there is, read by the use cases that API and command line call, as this user."""
    sees_keys = SIGNING_KEYS_READ in actor().scopes
    return render_template(
        "dashboard/overview.html",
        clients=clients.list_page(desk(), actor(), limit=SHOWN),
        keys=lifecycle.list_page(desk(), actor(), limit=SHOWN),
        signing_keys=signing_keys.list_all(desk(), actor()) if sees_keys else (),
        events=activity.list_page(desk(), actor(), limit=SHOWN),
    )
