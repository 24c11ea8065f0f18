"""``/v1/resources``: the APIs that take tokens, each an audience with its scopes (RFC 8707)."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import BaseModel, Field

from app.admin import resources
from app.admin.organizations import MAX_ENVIRONMENTS
from app.builtin import SCOPES_READ, SCOPES_WRITE
from app.web.api.answers import answer, created, deleted, listed, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, WRITES, collection, gives, needs
from app.web.api.values import (
    Answer,
    Body,
    Choice,
    Environment,
    Id,
    Identifier,
    Instant,
    Name,
    OfOrganization,
    OrganizationListing,
    PageOf,
    PathId,
    Scopes,
    example,
    unnamed,
)

blueprint = collection("resources", "The APIs that take tokens")

Environments = Annotated[list[Environment], Field(max_length=MAX_ENVIRONMENTS)]


class ResourcePath(BaseModel):
    """One resource."""

    resource_id: PathId


class NewResource(Body):
    """A resource to be declared."""

    model_config = example(identifier="https://api.example.com", name="Booking API")

    identifier: Identifier = Field(description="An absolute URI: the `aud` of its tokens.")
    name: Name = unnamed()
    scopes: Scopes = Field([], description="Scopes it owns; a token with one is meant for it.")
    environments: Environments = Field([], description="Whose tokens it takes; none: all.")
    profile: Choice | None = Field(
        None, description="How errors read there; null: as the organization has it."
    )
    organization_id: Id | None = None


class ResourceChanges(Body):
    """What is changed; the identifier is for life."""

    model_config = example(environments=["live"])

    name: Name = unnamed()
    scopes: Scopes = unnamed()
    environments: Environments = unnamed()
    profile: Choice | None = unnamed()


class Resource(Answer):
    """A resource."""

    id: str
    organization_id: str
    identifier: str
    name: str
    scopes: list[str]
    environments: list[str]
    profile: str | None
    created_at: Instant
    updated_at: Instant


class ResourcePage(PageOf[Resource]):
    """Resources, the youngest first."""


@blueprint.get("", security=needs(SCOPES_READ), responses=gives(200, ResourcePage, OBJECT))
def list_resources(query: OrganizationListing) -> Response:
    """List resources"""
    page = resources.list_page(
        desk(),
        actor(),
        limit=query.limit,
        cursor=query.cursor,
        organization_id=query.organization_id,
    )
    return listed(ResourcePage, page)


@blueprint.post("", security=needs(SCOPES_WRITE), responses=gives(201, Resource, WRITES))
def create_resource(body: NewResource) -> Response:
    """Declare a resource"""
    made = resources.create(desk(), actor(), resources.NewResource(**body.named()))
    return created(shown(Resource, made), "resources", made.id)


@blueprint.get(
    "/<resource_id>", security=needs(SCOPES_READ), responses=gives(200, Resource, OBJECT)
)
def show_resource(path: ResourcePath, query: OfOrganization) -> Response:
    """Show a resource"""
    found = resources.show(desk(), actor(), path.resource_id, organization_id=query.organization_id)
    return answer(shown(Resource, found))


@blueprint.patch(
    "/<resource_id>", security=needs(SCOPES_WRITE), responses=gives(200, Resource, WRITES)
)
def update_resource(path: ResourcePath, query: OfOrganization, body: ResourceChanges) -> Response:
    """Change a resource"""
    found = resources.update(
        desk(),
        actor(),
        path.resource_id,
        resources.ResourceChanges(**body.named()),
        organization_id=query.organization_id,
    )
    return answer(shown(Resource, found))


@blueprint.delete(
    "/<resource_id>", security=needs(SCOPES_WRITE), responses=gives(204, None, (404, 409))
)
def delete_resource(path: ResourcePath, query: OfOrganization) -> Response:
    """Remove a resource that no client names"""
    resources.delete(desk(), actor(), path.resource_id, organization_id=query.organization_id)
    return deleted()
