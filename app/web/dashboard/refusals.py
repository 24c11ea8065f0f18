"""Why was I refused? By the request id that every answer carries."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from app.admin import refusals
from app.errors import Invalid
from app.web.dashboard.shell import page
from app.web.dashboard.signed_in import actor, desk, is_elsewhere, organization_id

blueprint = Blueprint("refusals", __name__, url_prefix="/refusals")


@blueprint.get("")
def index() -> Any:
    asked = request.args.get("request_id", "").strip()
    found: tuple[refusals.Refusal, ...] = ()
    refused = None
    if asked:
        try:
            # At home, the operator finds what was refused anywhere.
            named = organization_id() if is_elsewhere() else None
            found = refusals.why(desk(), actor(), asked, organization_id=named)
        except Invalid as error:
            refused = error
    return page("refusals", asked=asked, found=found, refused=refused)
