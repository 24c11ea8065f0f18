"""An API key is followed by another one, replaced because others know it, or revoked."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect

from app.apikeys import endings, succession, values
from app.builtin import KEYS_WRITE
from app.records import Actor
from app.web.dashboard import shell
from app.web.dashboard.api_key_forms import CompromisedForm, RevokingForm, RotationForm
from app.web.dashboard.api_keys import api_key, created, relatives, url_of
from app.web.dashboard.shell import page
from app.web.dashboard.signed_in import (
    actor,
    confirmed,
    desk,
    needs,
    organization_id,
)

blueprint = Blueprint("api_key_ends", __name__, url_prefix="/api-keys/<key_id>")


@blueprint.route("/rotate", methods=("GET", "POST"))
@needs(KEYS_WRITE)
@confirmed
def rotate(key_id: str) -> Any:
    form = RotationForm()

    def follow(maker: Actor) -> values.CreatedApiKey:
        return succession.rotate(
            desk(),
            maker,
            key_id,
            grace_seconds=int(form.grace.data) if form.grace.data else None,
            reason=form.reason.data,
            organization_id=organization_id(),
        )

    key = api_key(key_id)
    made = shell.make(form, follow, leads_to=url_of)
    return created(made) if made else page("api_key_rotate", form, key=key, back=url_of(key_id))


@blueprint.route("/compromised", methods=("GET", "POST"))
@needs(KEYS_WRITE)
@confirmed
def compromised(key_id: str) -> Any:
    form = CompromisedForm()

    def replace(maker: Actor) -> values.CreatedApiKey:
        reason = form.reason.data or succession.COMPROMISED
        return succession.replace(
            desk(), maker, key_id, reason=reason, organization_id=organization_id()
        )

    key = api_key(key_id)
    made = shell.make(form, replace, leads_to=url_of)
    if made is None:
        return page("api_key_compromised", form, key=key, back=url_of(key_id))
    return page(
        "api_key_created",
        key=made.api_key,
        secret=made.key,
        variable=made.variable,
        compromised=key,
    )


@blueprint.route("/revoke", methods=("GET", "POST"))
@needs(KEYS_WRITE)
@confirmed
def revoke(key_id: str) -> Any:
    form = RevokingForm()
    key = api_key(key_id)

    def end() -> values.ApiKeyView:
        return endings.revoke(
            desk(), actor(), key_id, reason=form.reason.data, organization_id=organization_id()
        )

    if shell.attempt(form, end) is None:
        return page("api_key_revoke", form, key=key, relatives=relatives(key), back=url_of(key_id))
    flash(f"{key.name} is revoked: the next request with it fails.")
    return redirect(url_of(key_id), 303)
