"""Why was I refused? By the request id that every answer carries."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from app.admin import refusals
from app.web.dashboard import filters
from app.web.dashboard.shell import page, query
from app.web.dashboard.signed_in import actor, desk, is_elsewhere, organization_id

blueprint = Blueprint("refusals", __name__, url_prefix="/refusals")


@blueprint.get("")
def index() -> Any:
    asked = query("request_id")
    # At home, the operator finds what was refused anywhere.
    named = organization_id() if is_elsewhere() else None

    def why() -> tuple[refusals.Refusal, ...]:
        return refusals.why(desk(), actor(), asked, organization_id=named) if asked else ()

    nothing: tuple[refusals.Refusal, ...] = ()
    found, refused = filters.tried(why, nothing)
    return page("refusals", asked=asked, found=found, refused=refused)
