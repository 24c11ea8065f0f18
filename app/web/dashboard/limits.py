"""Plan and limits: what one's organization may do, how much of it is used, and what holds now."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from app.admin import standing, usage
from app.admin.fields import searched
from app.web.dashboard import filters
from app.web.dashboard.shell import page, query
from app.web.dashboard.signed_in import actor, desk, organization_id
from app.wiring import services

blueprint = Blueprint("limits", __name__, url_prefix="/limits")


@blueprint.get("")
def index() -> Any:
    credential = query("credential")

    def limits() -> tuple[usage.LimitState, ...]:
        if credential is None:
            return ()
        searched(credential, "credential")
        limiter = services(current_app).limiter
        return usage.limits(desk(), limiter, actor(), credential, organization_id=organization_id())

    nothing: tuple[usage.LimitState, ...] = ()
    states, refused = filters.tried(limits, nothing)
    return page(
        "limits",
        standing=standing.show(desk(), actor(), organization_id=organization_id()),
        credential=credential,
        states=states,
        refused=refused,
    )
