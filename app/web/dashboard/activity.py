"""Activity: who did what to which, as a list, as a file, and how far it is vouched for."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from app.admin import activity, audit_state
from app.admin.activity import EventFilter
from app.records import REFUSED, SUCCESS
from app.web.api.activity import as_file
from app.web.dashboard import filters
from app.web.dashboard.shell import page, query
from app.web.dashboard.signed_in import actor, desk, organization_id

blueprint = Blueprint("activity", __name__, url_prefix="/activity")

OUTCOMES = (SUCCESS, REFUSED)
KINDS = ("token.*", "api_key.*", "client.*", "client_secret.*", "user.*", "organization.*",
         "scope.*", "preset.*", "resource.*", "plan.*", "signing_key.*")  # fmt: skip
"""What is offered to choose from; any type can be typed into the address."""
TEXTS = ("type", "actor_id", "target_id", "outcome", "reason", "ip", "request_id")


@blueprint.get("")
def index() -> Any:
    """The list, by every filter of ``/v1/activity``."""
    found, refused = filters.found(
        lambda: activity.list_page(
            desk(), actor(), _filter(), cursor=query("cursor"), organization_id=organization_id()
        )
    )
    return page(
        "activity",
        found=found,
        refused=refused,
        outcomes=OUTCOMES,
        kinds=KINDS,
        asked=request.args,
        chains=audit_state.ends(desk(), actor(), organization_id=organization_id()),
        files=filters.files(refused, TEXTS),
    )


@blueprint.get("/export/<form>")
def export(form: str) -> Response:
    """Everything that the filters let through, as a file."""

    def file() -> Response:
        found = activity.every(desk(), actor(), _filter(), organization_id=organization_id())
        return as_file(form, found)

    return filters.exported(form, file, TEXTS)


def _filter() -> EventFilter:
    return EventFilter(**filters.read(TEXTS))
