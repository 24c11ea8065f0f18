"""Presets: scopes that are granted together, by a name; and what each of them opens."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired

from app.admin import presets
from app.admin.fields import MAX_DESCRIPTION
from app.admin.rights import require
from app.builtin import SCOPES_WRITE
from app.records import Actor
from app.web.dashboard import filters, shell
from app.web.dashboard.grants import ScopesForm
from app.web.dashboard.shell import Question, page, query
from app.web.dashboard.signed_in import actor, confirmed, desk, organization_id

blueprint = Blueprint("presets", __name__, url_prefix="/presets")


class PresetForm(ScopesForm):
    """What may be changed of a preset."""

    description = TextAreaField("Description", render_kw={"rows": 2, "maxlength": MAX_DESCRIPTION})


class NewPresetForm(PresetForm):
    """And its name, which is for life."""

    name = StringField(
        "Name",
        validators=[InputRequired()],
        description="Letters, digits, '.', '_' and '-', for instance read-only.",
        render_kw={"maxlength": 64, "autocapitalize": "off", "spellcheck": "false"},
    )


@blueprint.get("")
def index() -> Any:
    found, refused = filters.found(
        lambda: presets.list_page(
            desk(), actor(), cursor=query("cursor"), organization_id=organization_id()
        )
    )
    return page("presets", found=found, refused=refused)


@blueprint.route("/new", methods=("GET", "POST"))
def new() -> Any:
    require(actor(), SCOPES_WRITE)
    form = NewPresetForm()

    def create(maker: Actor) -> presets.PresetView:
        asked = presets.NewPreset(
            name=(form.name.data or "").strip(),
            description=form.description.data or "",
            scopes=form.chosen(),
            organization_id=organization_id(),
        )
        return presets.create(desk(), maker, asked)

    made = shell.make(form, create, leads_to=url_of)
    if made is None:
        return page("preset_form", form, preset=None, back=url_for(".index"))
    flash(f"{made.name} can be granted now.")
    return redirect(url_of(made.name), 303)


@blueprint.get("/show")
def show() -> Any:
    preset = _asked_for()
    opens = presets.opens(desk(), actor(), preset.name, organization_id=organization_id())
    return page("preset", preset=preset, opens=opens)


@blueprint.route("/edit", methods=("GET", "POST"))
def edit() -> Any:
    require(actor(), SCOPES_WRITE)
    found = _asked_for()
    form = PresetForm(obj=found)

    def change() -> presets.PresetView:
        changes = presets.PresetChanges(
            description=form.description.data or "", scopes=form.chosen()
        )
        return presets.update(
            desk(), actor(), found.name, changes, organization_id=organization_id()
        )

    if shell.attempt(form, change) is None:
        return page("preset_form", form, preset=found, back=url_of(found.name))
    flash("Saved. What was granted by it before stays as it was.")
    return redirect(url_of(found.name), 303)


@blueprint.route("/delete", methods=("GET", "POST"))
@confirmed
def delete() -> Any:
    require(actor(), SCOPES_WRITE)
    name = request.args.get("name", "")
    return shell.confirm(
        lambda: presets.delete(desk(), actor(), name, organization_id=organization_id()),
        lambda: Question(
            f"Delete {_asked_for().name}?",
            "It cannot be granted any more. Who has it keeps what it held.",
            "Delete the preset",
            url_of(name),
        ),
        done=f"{name} is gone.",
        leads_to=url_for(".index"),
    )


def url_of(name: str) -> str:
    return url_for("dashboard.presets.show", name=name)


def _asked_for() -> presets.PresetView:
    name = request.args.get("name", "")
    return presets.show(desk(), actor(), name, organization_id=organization_id())
