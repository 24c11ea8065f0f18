"""Plan and limits: what one's organization may do, how much of it is used, and what holds now."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from app.admin import standing, usage
from app.web.dashboard.shell import page, query
from app.web.dashboard.signed_in import actor, desk, organization_id
from app.wiring import services

blueprint = Blueprint("limits", __name__, url_prefix="/limits")


@blueprint.get("")
def index() -> Any:
    credential = query("credential")
    states: tuple[usage.LimitState, ...] = ()
    if credential is not None:
        states = usage.limits(
            desk(),
            services(current_app).limiter,
            actor(),
            credential,
            organization_id=organization_id(),
        )
    return page(
        "limits",
        standing=standing.show(desk(), actor(), organization_id=organization_id()),
        credential=credential,
        states=states,
    )
