"""``/v1/organizations``: the tenants; for the operator's credentials alone."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from pydantic import BaseModel, Field

from app.admin import organizations
from app.admin.key_variables import MAX_VARIABLE
from app.admin.labels import MAX_LABEL
from app.builtin import ORGANIZATIONS_READ, ORGANIZATIONS_WRITE
from app.web.api.answers import answer, created, listed, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, WRITES, collection, gives, needs
from app.web.api.values import (
    Answer,
    Body,
    Choice,
    Environment,
    Id,
    Instant,
    Listing,
    Name,
    PageOf,
    PathId,
    RateLimits,
    Searched,
    ShownRateLimit,
    example,
    unnamed,
)
from keyturn.apikey import ALPHABETS

blueprint = collection("organizations", "Tenants; for the operator's credentials")

Environments = Annotated[
    list[Environment], Field(min_length=1, max_length=organizations.MAX_ENVIRONMENTS)
]
Variable = Annotated[
    str,
    Field(
        max_length=MAX_VARIABLE,
        description="The environment variable to keep its keys in; null: made of the name.",
    ),
]
Label = Annotated[str, Field(min_length=1, max_length=MAX_LABEL)]

SecondFactor = Annotated[
    bool, Field(description="Whether its users need a code beside their password.")
]

_DEFAULTS = "What holds in a class of routes where neither key nor plan says anything."
_ALPHABET = f"Its characters, or one of {', '.join(f'`{one}`' for one in ALPHABETS)}."


class OrganizationPath(BaseModel):
    """One organization."""

    organization_id: PathId


class OrganizationListing(Listing):
    """Which organizations."""

    status: Choice | None = Field(None, description="`active` or `suspended`.")
    plan_id: Id | None = None
    search: Searched = None


class KeyTemplate(Body):
    """How the organization's API keys differ from the installation's."""

    prefix: Annotated[str, Field(max_length=64)] = unnamed()
    environments: Annotated[list[Environment], Field(max_length=organizations.MAX_ENVIRONMENTS)] = (
        unnamed()
    )
    alphabet: Annotated[str, Field(max_length=62, description=_ALPHABET)] = unnamed()
    length: Annotated[int, Field(ge=1, le=128)] = unnamed()
    checksum: Choice = unnamed()
    checksum_length: Annotated[int, Field(ge=0, le=32)] = unnamed()


class Labels(Body):
    """What the dashboard calls its pages; what is not named is called as by default."""

    settings: Label = unnamed()
    api_keys: Label = unnamed()
    create_api_key: Label = unnamed()


class ShownLabels(Answer):
    """What the dashboard calls its pages."""

    settings: str
    api_keys: str
    create_api_key: str


class NewOrganization(Body):
    """An organization to be made."""

    model_config = example(name="Example Inc.")

    name: Name
    environments: Environments = unnamed()
    plan_id: Id | None = None
    key_template: KeyTemplate = unnamed()
    profile: Choice = unnamed()
    key_variable: Variable | None = None
    labels: Labels = unnamed()
    require_second_factor: SecondFactor = False
    rate_limits: RateLimits = Field([], description=_DEFAULTS)


class OrganizationChanges(Body):
    """What is changed; ``status`` ``suspended`` stops all its credentials."""

    model_config = example(environments=["live", "test", "staging"])

    name: Name = unnamed()
    status: Choice = unnamed()
    environments: Environments = unnamed()
    plan_id: Id | None = unnamed()
    key_template: KeyTemplate = unnamed()
    profile: Choice = unnamed()
    key_variable: Variable | None = unnamed()
    labels: Labels = unnamed()
    require_second_factor: SecondFactor = unnamed()
    rate_limits: RateLimits = unnamed()


class Organization(Answer):
    """An organization."""

    id: str
    name: str
    status: str
    is_operator: bool
    plan_id: str | None
    environments: list[str]
    key_template: dict[str, Any]
    former_key_templates: list[dict[str, Any]] = Field(
        description="How keys looked before, the youngest first; such keys are still taken."
    )
    profile: str
    key_variable: str
    labels: ShownLabels
    require_second_factor: bool
    rate_limits: list[ShownRateLimit]
    created_at: Instant
    updated_at: Instant


class OrganizationPage(PageOf[Organization]):
    """Organizations, the youngest first."""


@blueprint.get("", security=needs(ORGANIZATIONS_READ), responses=gives(200, OrganizationPage))
def list_organizations(query: OrganizationListing) -> Response:
    """List organizations"""
    page = organizations.list_page(
        desk(),
        actor(),
        limit=query.limit,
        cursor=query.cursor,
        status=query.status,
        plan_id=query.plan_id,
        search=query.search,
    )
    return listed(OrganizationPage, page)


@blueprint.post("", security=needs(ORGANIZATIONS_WRITE), responses=gives(201, Organization, WRITES))
def create_organization(body: NewOrganization) -> Response:
    """Create an organization"""
    made = organizations.create(desk(), actor(), organizations.NewOrganization(**body.named()))
    return created(shown(Organization, made), "organizations", made.id)


@blueprint.get(
    "/<organization_id>",
    security=needs(ORGANIZATIONS_READ),
    responses=gives(200, Organization, OBJECT),
)
def show_organization(path: OrganizationPath) -> Response:
    """Show an organization"""
    return answer(shown(Organization, organizations.show(desk(), actor(), path.organization_id)))


@blueprint.patch(
    "/<organization_id>",
    security=needs(ORGANIZATIONS_WRITE),
    responses=gives(200, Organization, WRITES),
)
def update_organization(path: OrganizationPath, body: OrganizationChanges) -> Response:
    """Change, suspend or resume an organization"""
    changes = organizations.OrganizationChanges(**body.named())
    found = organizations.update(desk(), actor(), path.organization_id, changes)
    return answer(shown(Organization, found))
