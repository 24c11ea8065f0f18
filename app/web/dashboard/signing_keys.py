"""Signing keys: which one signs, which one follows, and how long each was or will be good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, url_for
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField

from app.admin import signing_keys
from app.admin.signing_keys import SigningKeyView
from app.builtin import SIGNING_KEYS_WRITE
from app.crypto.signing import ALGORITHMS
from app.errors import NotFound
from app.storage.signing_keys import PREVIOUS, RETIRED
from app.web.dashboard.fields import choices
from app.web.dashboard.shell import Question, attempt, confirm, page
from app.web.dashboard.signed_in import (
    actor,
    confirmed,
    desk,
)

blueprint = Blueprint("signing_keys", __name__, url_prefix="/signing-keys")

SHOWN = 12
"""Keys of the timeline: the youngest ones."""


class RotationForm(FlaskForm):
    """Let the next key sign."""

    algorithm = SelectField(
        "Algorithm of the key that is made to follow",
        choices=choices([("", "As now"), *((name, name) for name in ALGORITHMS)]),
    )
    force = BooleanField(
        "Rotate although verifiers may not know the next key yet",
        description="They may refuse new tokens for up to five minutes. For a key that has leaked.",
    )


@blueprint.get("")
def index() -> Any:
    keys = signing_keys.list_all(desk(), actor())
    return page(
        "signing_keys",
        keys=keys[::-1],
        timeline=tuple(_bars(keys[-SHOWN:], desk().clock())),
        lifetime=desk().settings.signing_key_ttl,
        may_write=SIGNING_KEYS_WRITE in actor().scopes,
        previous=PREVIOUS,
    )


@blueprint.route("/rotate", methods=("GET", "POST"))
@confirmed
def rotate() -> Any:
    form = RotationForm()

    def act() -> SigningKeyView:
        return signing_keys.rotate(
            desk(), actor(), algorithm=form.algorithm.data or None, force=form.force.data
        )

    made = attempt(form, act)
    if made is None:
        return page("signing_keys_rotate", form)
    flash(f"{made.kid} signs from now on.")
    return redirect(url_for(".index"), 303)


@blueprint.route("/<kid>/retire", methods=("GET", "POST"))
@confirmed
def retire(kid: str) -> Any:
    if kid not in {key.kid for key in signing_keys.list_all(desk(), actor())}:
        raise NotFound("signing key")
    return confirm(
        lambda: signing_keys.retire(desk(), actor(), kid),
        lambda: Question(
            f"Retire {kid}?",
            "It leaves the published keys at once, and with it every token that it has signed is "
            "refused. This cannot be undone. By itself a replaced key is retired when its last "
            "token has ended.",
            "Retire this key",
            url_for(".index"),
        ),
        done=f"What {kid} has signed is refused from now on.",
        leads_to=url_for(".index"),
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """A key in the timeline: where its parts begin and end, in hundredths of the whole width."""

    kid: str
    stage: str
    published: float
    signs: float
    replaced: float
    ended: float


def _bars(keys: Iterable[SigningKeyView], now: datetime) -> Iterator[Bar]:
    keys = tuple(keys)
    if not keys:
        return
    began = min(key.created_at for key in keys)
    whole = max((now - began).total_seconds(), 1.0)

    def at(instant: datetime | None) -> float:
        return round(100 * ((instant or now) - began).total_seconds() / whole, 2)

    for key in reversed(keys):
        ended = key.retired_at if key.stage == RETIRED else now
        yield Bar(
            key.kid,
            key.stage,
            at(key.created_at),
            at(key.activated_at or ended),
            at(key.replaced_at or ended),
            at(ended),
        )
