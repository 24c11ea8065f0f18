"""``/v1/scopes``: the catalogue of what exists, and what implies what (CONTRACT §3)."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import BaseModel, Field

from app.admin import scopes
from app.builtin import SCOPES_READ, SCOPES_WRITE
from app.web.api.answers import answer, created, deleted, listed, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, WRITES, collection, gives, needs
from app.web.api.values import (
    Answer,
    Body,
    Choice,
    Description,
    Flag,
    Id,
    Instant,
    OfOrganization,
    OrganizationListing,
    PageOf,
    ScopeToken,
    example,
    unnamed,
)

blueprint = collection("scopes", "The scope catalogue")


class ScopePath(BaseModel):
    """One scope; its name may hold any character of RFC 6749 §3.3, slashes among them."""

    name: str


class ScopeListing(OrganizationListing):
    """Which scopes."""

    builtin: Flag = Field(True, description="Whether those of administration are listed as well.")
    search: Choice | None = Field(None, description="What the name or the description holds.")


class NewScope(Body):
    """A scope to be declared."""

    model_config = example(name="bookings:export", description="Export bookings")

    name: ScopeToken
    description: Description = ""
    implies: Annotated[list[ScopeToken], Field(max_length=scopes.MAX_IMPLIED)] = Field(
        [], description="Declared scopes that come with it."
    )
    public: bool = Field(False, description="Whether a publishable key may hold it.")
    organization_id: Id | None = None


class ScopeChanges(Body):
    """What is changed of a scope; its name is for life."""

    model_config = example(description="Export bookings as a table")

    description: Description = unnamed()
    implies: Annotated[list[ScopeToken], Field(max_length=scopes.MAX_IMPLIED)] = unnamed()
    public: bool = unnamed()


class Scope(Answer):
    """A scope; those of administration are built in."""

    name: str
    description: str
    implies: list[str]
    public: bool
    builtin: bool
    created_at: Instant | None


class Naming(Answer):
    """Something that names a scope, which cannot be removed meanwhile."""

    type: str = Field(description="`client`, `api_key`, `preset`, `resource` or `scope`.")
    id: str = Field(description="Of a preset or a scope, its name.")
    name: str


class NamedScope(Scope):
    """A scope, and what names it."""

    named_by: list[Naming] = Field(
        description=f"What names this very scope, up to {scopes.MAX_NAMINGS} of a type; "
        "wildcards above it do not."
    )


class ScopePage(PageOf[Scope]):
    """Scopes by name."""


@blueprint.get("", security=needs(SCOPES_READ), responses=gives(200, ScopePage, OBJECT))
def list_scopes(query: ScopeListing) -> Response:
    """List the scopes that exist"""
    page = scopes.list_page(
        desk(),
        actor(),
        limit=query.limit,
        cursor=query.cursor,
        organization_id=query.organization_id,
        builtin=query.builtin,
        search=query.search,
    )
    return listed(ScopePage, page)


@blueprint.post("", security=needs(SCOPES_WRITE), responses=gives(201, Scope, WRITES))
def add_scope(body: NewScope) -> Response:
    """Declare a scope"""
    made = scopes.add(desk(), actor(), scopes.NewScope(**body.named()))
    return created(shown(Scope, made), "scopes", made.name)


@blueprint.get(
    "/<path:name>", security=needs(SCOPES_READ), responses=gives(200, NamedScope, OBJECT)
)
def show_scope(path: ScopePath, query: OfOrganization) -> Response:
    """Show a scope, and what names it"""
    which = desk(), actor(), path.name
    found = scopes.show(*which, organization_id=query.organization_id)
    namings = scopes.namings(*which, organization_id=query.organization_id)
    return answer(shown(NamedScope, found, named_by=[shown(Naming, one) for one in namings]))


@blueprint.patch("/<path:name>", security=needs(SCOPES_WRITE), responses=gives(200, Scope, WRITES))
def update_scope(path: ScopePath, query: OfOrganization, body: ScopeChanges) -> Response:
    """Change a declared scope"""
    found = scopes.update(
        desk(),
        actor(),
        path.name,
        scopes.ScopeChanges(**body.named()),
        organization_id=query.organization_id,
    )
    return answer(shown(Scope, found))


@blueprint.delete(
    "/<path:name>", security=needs(SCOPES_WRITE), responses=gives(204, None, (404, 409))
)
def remove_scope(path: ScopePath, query: OfOrganization) -> Response:
    """Take back a scope that nothing names"""
    scopes.remove(desk(), actor(), path.name, organization_id=query.organization_id)
    return deleted()
