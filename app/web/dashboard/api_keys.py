"""API keys: the list, a new one, one of them and what may change. Ends: ``api_key_ends``."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.admin import usage, usage_totals
from app.apikeys import lifecycle, values
from app.apikeys.policies import ROTATIONS
from app.builtin import (
    KEYS_WRITE,
    USAGE_READ,
)
from app.errors import Invalid, NotFound
from app.records import ACTIVE, Actor
from app.web.dashboard import charts, filters, shell
from app.web.dashboard.api_key_forms import NewKeyForm, RestrictionForm, lines
from app.web.dashboard.fields import written
from app.web.dashboard.shell import page, query
from app.web.dashboard.signed_in import (
    actor,
    confirmed,
    desk,
    may,
    needs,
    only_environment,
    organization_id,
)
from app.wiring import services

blueprint = Blueprint("api_keys", __name__, url_prefix="/api-keys")

NETWORKS = 10
DAYS = 30
IDLE = ("7", "30", "90", "180")
"""Days for which a key may not have been used."""


@blueprint.get("")
def index() -> Any:
    found, refused = filters.found(
        lambda: lifecycle.list_page(
            desk(), actor(), _filter(), cursor=query("cursor"), organization_id=organization_id()
        )
    )
    return page(
        "api_keys",
        found=found,
        refused=refused,
        me=actor().id,
        statuses=values.STATUSES,
        rotations=ROTATIONS,
        idle=IDLE,
    )


def _filter() -> values.ApiKeyFilter:
    days = query("inactive_days")
    if days is not None and not (days.isdecimal() and len(days) < 6):
        raise Invalid("inactive_days must be a number of days", field="inactive_days")
    return values.ApiKeyFilter(
        status=query("status"),
        environment=query("environment"),
        kind=query("kind"),
        created_by=query("created_by"),
        inactive_days=None if days is None else int(days),
        rotation=query("rotation"),
        search=query("search"),
    )


@blueprint.route("/new", methods=("GET", "POST"))
@needs(KEYS_WRITE)
@confirmed
def new() -> Any:
    form = NewKeyForm(**({"environment": only_environment()} | _like()))

    def create(maker: Actor) -> values.CreatedApiKey:
        asked = values.NewApiKey(
            organization_id=organization_id(),
            environment=form.environment.data,
            kind=form.kind.data,
            expires_at=form.end(),
            **form.restrictions(),
            **form.grant(),
        )
        return lifecycle.create(desk(), maker, asked)

    made = shell.make(form, create, leads_to=url_of)
    if made is None:
        return page("api_key_form", form, back=url_for(".index"))
    return created(made)


def _like() -> dict[str, Any]:
    """As another key is, but for the scopes that it never needed."""
    key_id = query("like")
    if key_id is None:
        return {}
    key = api_key(key_id)
    needed = [one.scope for one in _held(key) if not one.unused]
    return lines(key) | {"environment": key.environment, "kind": key.kind, "scopes": needed}


def created(made: values.CreatedApiKey) -> Any:
    """The one page that shows a key."""
    return page("api_key_created", key=made.api_key, secret=made.key, variable=made.variable)


@blueprint.get("/<key_id>")
def show(key_id: str) -> Any:
    key = api_key(key_id)
    sees_usage = may(USAGE_READ)
    return page(
        "api_key",
        key=key,
        limits=[written(one) for one in key.rate_limits],
        relatives=relatives(key),
        held=_held(key) if sees_usage else (),
        unused_days=usage.UNUSED_DAYS,
        uses=_uses(key) if sees_usage else None,
        states=_limits(key) if sees_usage else (),
        networks=_networks(key) if sees_usage else (),
    )


@blueprint.route("/<key_id>/edit", methods=("GET", "POST"))
@needs(KEYS_WRITE)
def edit(key_id: str) -> Any:
    key = api_key(key_id)
    form = RestrictionForm(data=lines(key))

    def change() -> values.ApiKeyView:
        changes = values.ApiKeyChanges(**form.restrictions())
        return lifecycle.update(desk(), actor(), key_id, changes, organization_id=organization_id())

    if shell.attempt(form, change) is None:
        return page("api_key_edit", form, key=key, back=url_of(key_id))
    flash("Saved.")
    return redirect(url_of(key_id), 303)


@blueprint.post("/<key_id>/status")
@needs(KEYS_WRITE)
def change_status(key_id: str) -> Response:
    """Disable or enable."""
    change = lifecycle.enable if request.form.get("status") == ACTIVE else lifecycle.disable
    found = change(desk(), actor(), key_id, organization_id=organization_id())
    flash(f"{found.name} is {found.status}.")
    return redirect(url_of(key_id), 303)


def api_key(key_id: str) -> values.ApiKeyView:
    return lifecycle.show(desk(), actor(), key_id, organization_id=organization_id())


def url_of(key_id: str) -> str:
    return url_for("dashboard.api_keys.show", key_id=key_id)


def relatives(key: values.ApiKeyView) -> list[tuple[str, values.ApiKeyView]]:
    """The key before and the one after it, as far as they are still there."""
    found = []
    for word, other in (("Predecessor", key.rotated_from), ("Successor", key.rotated_to)):
        try:
            if other is not None:
                found.append((word, lifecycle.seen(desk(), key.organization_id, other)))
        except NotFound:
            continue
    return found


def _held(key: values.ApiKeyView) -> tuple[usage.HeldScope, ...]:
    found = usage.scopes(
        desk(), actor(), credential_id=key.id, organization_id=key.organization_id
    ).data
    return found[0].scopes if found else ()


def _uses(key: values.ApiKeyView) -> charts.Chart:
    found = usage_totals.totals(
        desk(),
        actor(),
        interval="day",
        number=DAYS,
        credential_id=key.id,
        organization_id=key.organization_id,
    )
    return charts.uses(f"Uses in the last {DAYS} days", found, "day")


def _limits(key: values.ApiKeyView) -> tuple[usage.LimitState, ...]:
    limiter = services(current_app).limiter
    return usage.limits(desk(), limiter, actor(), key.id, organization_id=key.organization_id)


def _networks(key: values.ApiKeyView) -> tuple[usage.Network, ...]:
    return usage.networks(
        desk(),
        actor(),
        credential_id=key.id,
        limit=NETWORKS,
        organization_id=key.organization_id,
    ).data
