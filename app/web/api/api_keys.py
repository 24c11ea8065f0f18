"""``/v1/api-keys``: long-lived keys (CONTRACT §5)."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import BaseModel, BeforeValidator, Field

from app.admin.restrictions import MAX_ENTRIES, MAX_HOST
from app.apikeys import endings, lifecycle, policies, succession, values
from app.builtin import KEYS_READ, KEYS_WRITE
from app.errors import Invalid
from app.web.api.answers import answer, created, deleted, listed, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, WRITES, collection, gives, needs
from app.web.api.values import (
    ActingList,
    Answer,
    Body,
    Choice,
    Description,
    Environment,
    Id,
    Instant,
    Name,
    OfOrganization,
    OptionalBody,
    OrganizationListing,
    PageOf,
    PathId,
    PresetName,
    RateLimits,
    Scopes,
    Searched,
    Seconds,
    ShownRateLimit,
    example,
    number,
    unnamed,
)

blueprint = collection("api-keys", "Long-lived API keys")

Networks = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MAX_ENTRIES)]
Domains = Annotated[
    list[Annotated[str, Field(max_length=MAX_HOST + 2)]], Field(max_length=MAX_ENTRIES)
]
Reason = Annotated[
    str,
    Field(
        max_length=endings.MAX_REASON,
        description=f"{', '.join(f'`{one}`' for one in endings.REASONS)}, or any line: it is kept.",
    ),
]
Days = Annotated[int, Field(ge=1, le=policies.LONGEST), BeforeValidator(number)]


class ApiKeyPath(BaseModel):
    """One key."""

    key_id: PathId


class ApiKeyListing(OrganizationListing):
    """Which keys."""

    status: Choice | None = Field(
        None, description="`active`, `disabled`, `expired`, `rotated` or `revoked`."
    )
    environment: Environment | None = None
    search: Searched = None
    kind: Choice | None = Field(None, description="`secret` or `publishable`.")
    created_by: Id | None = None
    inactive_days: Days | None = Field(
        None, description="Not used for so many days; never used: made so many days ago."
    )
    rotation: Choice | None = Field(
        None, description="`due` or `overdue` by the organization's policy."
    )


class Revoking(OfOrganization):
    """Why a key is revoked."""

    reason: Reason = ""


class NewApiKey(Body):
    """A key to be made: with ``scopes`` or with a ``preset``."""

    model_config = example(name="Partner", scopes=["keyturn:audit:read"], expires_in=7776000)

    name: Name
    description: Description = ""
    organization_id: Id | None = None
    environment: Environment | None = Field(
        None, description="By default that of the credential that asks."
    )
    mode: Environment | None = Field(None, description="The same as `environment`.")
    kind: Choice = Field(values.SECRET, description="`secret` or `publishable`.")
    scopes: Scopes | None = Field(
        None,
        description="`bookings:*` is everything below `bookings:`. Without scopes and preset, "
        "those of the API key that asks; any other credential must say.",
    )
    preset: PresetName | None = None
    allowed_ips: Networks = Field([], description="Addresses and CIDR ranges; none: anywhere.")
    allowed_domains: Domains = Field([], description="Hosts and `*.host`; none: any origin.")
    missing_origin: Choice | None = Field(
        None, description="Bound to domains and used without an Origin: `allow` or `deny`."
    )
    browser_origin: Choice | None = Field(
        None,
        description="A secret key without domains, used with an Origin: `allow` or `deny`; by "
        "default as the key policy has it.",
    )
    rate_limits: RateLimits = Field([])
    act_as_organizations: ActingList = Field(
        [], description="Whom a service credential may act for; none: every organization."
    )
    expires_at: Instant | None = None
    expires_in: Seconds | None = Field(None, description="Seconds from now, in place of a time.")


class ApiKeyChanges(Body):
    """What is changed; ``status`` ``disabled`` closes what it opens. Its scopes are for life."""

    model_config = example(description="For the partner portal")

    name: Name = unnamed()
    description: Description = unnamed()
    allowed_ips: Networks = unnamed()
    allowed_domains: Domains = unnamed()
    missing_origin: Choice = unnamed()
    browser_origin: Choice | None = unnamed()
    rate_limits: RateLimits = unnamed()
    act_as_organizations: ActingList = unnamed()
    status: Choice = unnamed()


class Rotation(OptionalBody):
    """How a key is replaced."""

    model_config = example(required=False, grace_seconds=3600, reason="Yearly change")

    grace_seconds: Seconds | None = Field(
        None, description="How long the old key lives on; null: as the organization has it."
    )
    reason: Reason = ""


class Replacement(OptionalBody):
    """Why a key is revoked and replaced at once."""

    model_config = example(required=False, reason="Found in a public repository")

    reason: Reason = ""


class RevokingAll(Body):
    """Whose keys are revoked."""

    model_config = example(created_by="usr_0000000000000000", reason="Has left the company")

    created_by: Id = Field(description="Who made or rotated them, and so has seen them.")
    reason: Reason = ""


class RevokedAll(Answer):
    """Those that could still be used, or enabled."""

    revoked: list[str]


class ApiKey(Answer):
    """A key; its secret is shown when it is made, and never again."""

    id: str
    name: str
    description: str
    organization_id: str
    environment: str
    kind: str
    scopes: list[str]
    preset: str | None
    allowed_ips: list[str]
    allowed_domains: list[str]
    missing_origin: str
    browser_origin: str | None
    rate_limits: list[ShownRateLimit]
    act_as_organizations: list[str]
    status: str
    prefix: str
    last_four: str
    expires_at: Instant | None
    revoked_at: Instant | None
    revoked_reason: str | None
    exposed_at: Instant | None
    exposed_by: str | None
    created_at: Instant
    created_by: str | None
    updated_at: Instant
    last_used_at: Instant | None
    rotated_from: str | None
    rotated_to: str | None
    in_grace: bool
    rotate_by: Instant | None
    rotation: str | None


class CreatedApiKey(ApiKey):
    """A new key: ``key`` is shown here and never again."""

    key: str
    key_variable: str = Field(description="The environment variable to keep it in.")


class ApiKeyPage(PageOf[ApiKey]):
    """Keys, the youngest first."""


@blueprint.get("", security=needs(KEYS_READ), responses=gives(200, ApiKeyPage, OBJECT))
def list_api_keys(query: ApiKeyListing) -> Response:
    """List API keys"""
    wanted = values.ApiKeyFilter(
        status=query.status,
        environment=query.environment,
        kind=query.kind,
        created_by=query.created_by,
        inactive_days=query.inactive_days,
        rotation=query.rotation,
        search=query.search,
    )
    page = lifecycle.list_page(
        desk(),
        actor(),
        wanted,
        limit=query.limit,
        cursor=query.cursor,
        organization_id=query.organization_id,
    )
    return listed(ApiKeyPage, page)


@blueprint.post("", security=needs(KEYS_WRITE), responses=gives(201, CreatedApiKey, WRITES))
def create_api_key(body: NewApiKey) -> Response:
    """Create an API key"""
    named = body.named()
    if "mode" in named:
        if "environment" in named:
            raise Invalid("environment and mode say the same: give one", field="mode")
        named["environment"] = named.pop("mode")
    made = lifecycle.create(desk(), actor(), values.NewApiKey(**named))
    return _created(made)


def _created(made: values.CreatedApiKey) -> Response:
    body = shown(CreatedApiKey, made.api_key, key=made.key, key_variable=made.variable)
    return created(body, "api-keys", made.api_key.id)


@blueprint.get("/<key_id>", security=needs(KEYS_READ), responses=gives(200, ApiKey, OBJECT))
def show_api_key(path: ApiKeyPath, query: OfOrganization) -> Response:
    """Show an API key"""
    found = lifecycle.show(desk(), actor(), path.key_id, organization_id=query.organization_id)
    return answer(shown(ApiKey, found))


@blueprint.patch("/<key_id>", security=needs(KEYS_WRITE), responses=gives(200, ApiKey, WRITES))
def update_api_key(path: ApiKeyPath, query: OfOrganization, body: ApiKeyChanges) -> Response:
    """Change, disable or enable an API key"""
    found = lifecycle.update(
        desk(),
        actor(),
        path.key_id,
        values.ApiKeyChanges(**body.named()),
        organization_id=query.organization_id,
    )
    return answer(shown(ApiKey, found))


@blueprint.post(
    "/<key_id>/rotate", security=needs(KEYS_WRITE), responses=gives(201, CreatedApiKey, WRITES)
)
def rotate_api_key(path: ApiKeyPath, query: OfOrganization, body: Rotation) -> Response:
    """Replace an API key by a successor of the same settings and the same expiry"""
    made = succession.rotate(
        desk(), actor(), path.key_id, **body.named(), organization_id=query.organization_id
    )
    return _created(made)


@blueprint.post(
    "/<key_id>/replace", security=needs(KEYS_WRITE), responses=gives(201, CreatedApiKey, WRITES)
)
def replace_api_key(path: ApiKeyPath, query: OfOrganization, body: Replacement) -> Response:
    """Revoke a compromised API key and make its successor, in one step"""
    made = succession.replace(
        desk(), actor(), path.key_id, **body.named(), organization_id=query.organization_id
    )
    return _created(made)


@blueprint.post("/revoke", security=needs(KEYS_WRITE), responses=gives(200, RevokedAll, WRITES))
def revoke_all_api_keys(query: OfOrganization, body: RevokingAll) -> Response:
    """Revoke every API key that somebody has made or rotated"""
    revoked = endings.revoke_all(
        desk(), actor(), **body.named(), organization_id=query.organization_id
    )
    return answer(RevokedAll(revoked=list(revoked)))


@blueprint.delete("/<key_id>", security=needs(KEYS_WRITE), responses=gives(204, None, (404, 409)))
def revoke_api_key(path: ApiKeyPath, query: Revoking) -> Response:
    """Revoke an API key, now and for ever"""
    endings.revoke(
        desk(),
        actor(),
        path.key_id,
        reason=query.reason,
        organization_id=query.organization_id,
    )
    return deleted()
