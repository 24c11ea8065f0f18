"""``/v1/presets``: named grants (CONTRACT §3)."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field

from app.admin import presets
from app.builtin import SCOPES_READ, SCOPES_WRITE
from app.web.api.answers import answer, created, deleted, listed, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, WRITES, collection, gives, needs
from app.web.api.values import (
    Answer,
    Body,
    Description,
    Id,
    Instant,
    OfOrganization,
    OrganizationListing,
    PageOf,
    PathId,
    PresetName,
    Scopes,
    example,
    unnamed,
)

blueprint = collection("presets", "Named grants")


class PresetPath(BaseModel):
    """One preset."""

    name: PathId


class NewPreset(Body):
    """A preset to be made."""

    model_config = example(name="auditor", scopes=["keyturn:audit:read"])

    name: PresetName
    scopes: Scopes
    description: Description = ""
    organization_id: Id | None = None


class PresetChanges(Body):
    """What is changed; nobody who was granted by it gets more."""

    model_config = example(description="May look and not touch")

    description: Description = unnamed()
    scopes: Scopes = unnamed()


class Preset(Answer):
    """A preset; its scopes as granted, wildcards kept."""

    name: str
    organization_id: str
    description: str
    scopes: list[str]
    created_at: Instant
    updated_at: Instant


class Opened(Answer):
    """A scope that a credential has by a preset."""

    scope: str
    description: str
    by: str = Field(
        description="What of the preset brings it: itself, a wildcard, or what implies it."
    )
    audiences: list[str] = Field(description="The resources that own it.")


class OpeningPreset(Preset):
    """A preset, and what it opens."""

    opens: list[Opened] = Field(description="What whoever is granted it now can do.")


class PresetPage(PageOf[Preset]):
    """Presets by name."""


@blueprint.get("", security=needs(SCOPES_READ), responses=gives(200, PresetPage, OBJECT))
def list_presets(query: OrganizationListing) -> Response:
    """List presets"""
    page = presets.list_page(
        desk(),
        actor(),
        limit=query.limit,
        cursor=query.cursor,
        organization_id=query.organization_id,
    )
    return listed(PresetPage, page)


@blueprint.post("", security=needs(SCOPES_WRITE), responses=gives(201, Preset, WRITES))
def create_preset(body: NewPreset) -> Response:
    """Create a preset"""
    made = presets.create(desk(), actor(), presets.NewPreset(**body.named()))
    return created(shown(Preset, made), "presets", made.name)


@blueprint.get("/<name>", security=needs(SCOPES_READ), responses=gives(200, OpeningPreset, OBJECT))
def show_preset(path: PresetPath, query: OfOrganization) -> Response:
    """Show a preset, and what it opens"""
    which = desk(), actor(), path.name
    found = presets.show(*which, organization_id=query.organization_id)
    opens = presets.opens(*which, organization_id=query.organization_id)
    return answer(shown(OpeningPreset, found, opens=[shown(Opened, one) for one in opens]))


@blueprint.patch("/<name>", security=needs(SCOPES_WRITE), responses=gives(200, Preset, WRITES))
def update_preset(path: PresetPath, query: OfOrganization, body: PresetChanges) -> Response:
    """Change a preset"""
    found = presets.update(
        desk(),
        actor(),
        path.name,
        presets.PresetChanges(**body.named()),
        organization_id=query.organization_id,
    )
    return answer(shown(Preset, found))


@blueprint.delete("/<name>", security=needs(SCOPES_WRITE), responses=gives(204, None, (404, 409)))
def delete_preset(path: PresetPath, query: OfOrganization) -> Response:
    """Remove a preset; what was granted by it stays granted"""
    presets.delete(desk(), actor(), path.name, organization_id=query.organization_id)
    return deleted()
