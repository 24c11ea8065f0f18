"""The first page: what was used and refused, what wants doing, and whether all is well."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from app.admin import activity, client_secrets, usage_totals
from app.apikeys import lifecycle
from app.apikeys.policies import DUE, OVERDUE
from app.apikeys.values import ApiKeyFilter, ApiKeyView
from app.builtin import AUDIT_READ, CLIENTS_READ, KEYS_READ, USAGE_READ
from app.web.dashboard import charts
from app.web.dashboard.shell import page
from app.web.dashboard.signed_in import actor, desk, may, organization_id
from app.wiring import services

blueprint = Blueprint("overview", __name__)

SHOWN = 5
EVENTS = 10


@blueprint.get("/")
def index() -> Any:
    """Each part for those who may read it."""
    sees_usage = may(USAGE_READ)
    return page(
        "overview",
        health=services(current_app).readiness(),
        uses=_uses() if sees_usage else None,
        near=_near_limits() if sees_usage else (),
        keys=_keys_due() if may(KEYS_READ) else (),
        secrets=_secrets() if may(CLIENTS_READ) else (),
        events=_events() if may(AUDIT_READ) else (),
        shown=SHOWN,
    )


def _uses() -> charts.Chart:
    found = usage_totals.totals(desk(), actor(), organization_id=organization_id())
    return charts.uses("Uses in the last 24 hours", found, "hour")


def _near_limits() -> tuple[usage_totals.NearLimit, ...]:
    limiter = services(current_app).limiter
    return usage_totals.near_limits(desk(), limiter, actor(), organization_id=organization_id())


def _keys_due() -> tuple[ApiKeyView, ...]:
    """Those that should have had a successor long ago first."""
    overdue = _keys(OVERDUE, SHOWN)
    return overdue + (_keys(DUE, SHOWN - len(overdue)) if len(overdue) < SHOWN else ())


def _keys(standing: str, limit: int) -> tuple[ApiKeyView, ...]:
    wanted = ApiKeyFilter(rotation=standing)
    return lifecycle.list_page(
        desk(), actor(), wanted, limit=limit, organization_id=organization_id()
    ).data


def _secrets() -> tuple[client_secrets.ExpiringSecret, ...]:
    return client_secrets.expiring(desk(), actor(), limit=SHOWN, organization_id=organization_id())


def _events() -> tuple[Any, ...]:
    return activity.list_page(desk(), actor(), limit=EVENTS, organization_id=organization_id()).data
