"""``/v1/clients``: OAuth clients (RFC 6749 §2)."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from pydantic import BaseModel, Field, WithJsonSchema

from app.admin import clients
from app.admin.client_keys import MAX_URI
from app.admin.desk import SECRET_METHODS
from app.builtin import CLIENTS_READ, CLIENTS_WRITE
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
    Identifier,
    Instant,
    Name,
    OfOrganization,
    OrganizationListing,
    PageOf,
    PathId,
    PresetName,
    Scopes,
    Searched,
    Seconds,
    example,
    unnamed,
)

blueprint = collection("clients", "OAuth clients: who may ask for tokens")

Jwks = Annotated[
    dict[str, Any],
    WithJsonSchema({"title": "JWK Set", "description": "Public keys (RFC 7517 §5), 1-20."}),
]
JwksUri = Annotated[str, Field(max_length=MAX_URI)]
Audiences = Annotated[list[Identifier], Field(max_length=clients.MAX_AUDIENCES)]


class ClientPath(BaseModel):
    """One client."""

    client_id: PathId


class ClientListing(OrganizationListing):
    """Which clients."""

    status: Choice | None = Field(None, description="`active` or `disabled`.")
    environment: Environment | None = None
    search: Searched = None


class NewClient(Body):
    """A client to be registered: with ``scopes`` or with a ``preset``."""

    model_config = example(name="Booking API", scopes=["keyturn:introspect"])

    name: Name
    description: Description = ""
    organization_id: Id | None = None
    environment: Environment | None = Field(
        None, description="By default that of the credential that asks."
    )
    scopes: Scopes | None = Field(None, description="`bookings:*` is everything below `bookings:`.")
    preset: PresetName | None = None
    audiences: Audiences = Field([], description="Resources it may name; none: every one.")
    token_endpoint_auth_method: Choice = SECRET_METHODS[0]
    jwks: Jwks | None = Field(None, description="Of `private_key_jwt`: its public keys.")
    jwks_uri: JwksUri | None = Field(None, description="Or where they are, by https.")
    token_ttl: Seconds | None = Field(None, description="Seconds; by default the installation's.")
    secret_expires_at: Instant | None = None
    act_as_organizations: ActingList = Field(
        [], description="Whom a service credential may act for; none: every organization."
    )


class ClientChanges(Body):
    """What is changed; ``status`` ``disabled`` stops its tokens."""

    model_config = example(description="Asks about the keys it is shown")

    name: Name = unnamed()
    description: Description = unnamed()
    scopes: Scopes | None = unnamed()
    preset: PresetName | None = unnamed()
    audiences: Audiences = unnamed()
    token_endpoint_auth_method: Choice = unnamed()
    jwks: Jwks | None = unnamed()
    jwks_uri: JwksUri | None = unnamed()
    token_ttl: Seconds | None = unnamed()
    act_as_organizations: ActingList = unnamed()
    status: Choice = unnamed()


class Client(Answer):
    """A client; its secrets are shown when they are made, and never again."""

    client_id: str
    name: str
    description: str
    organization_id: str
    environment: str
    scopes: list[str]
    preset: str | None
    audiences: list[str]
    token_endpoint_auth_method: str
    jwks: dict[str, Any] | None
    jwks_uri: str | None
    token_ttl: int | None
    act_as_organizations: list[str]
    status: str
    created_at: Instant
    created_by: str | None
    updated_at: Instant
    last_used_at: Instant | None


class CreatedClient(Client):
    """A new client, with its first secret where it has one."""

    client_secret: str | None
    client_secret_id: str | None


class ClientPage(PageOf[Client]):
    """Clients, the youngest first."""


@blueprint.get("", security=needs(CLIENTS_READ), responses=gives(200, ClientPage, OBJECT))
def list_clients(query: ClientListing) -> Response:
    """List clients"""
    page = clients.list_page(
        desk(),
        actor(),
        limit=query.limit,
        cursor=query.cursor,
        organization_id=query.organization_id,
        status=query.status,
        environment=query.environment,
        search=query.search,
    )
    return listed(ClientPage, page)


@blueprint.post("", security=needs(CLIENTS_WRITE), responses=gives(201, CreatedClient, WRITES))
def create_client(body: NewClient) -> Response:
    """Register a client"""
    made = clients.create(desk(), actor(), clients.NewClient(**body.named()))
    return created(
        shown(
            CreatedClient,
            made.client,
            client_secret=made.client_secret,
            client_secret_id=made.client_secret_id,
        ),
        "clients",
        made.client.client_id,
    )


@blueprint.get("/<client_id>", security=needs(CLIENTS_READ), responses=gives(200, Client, OBJECT))
def show_client(path: ClientPath, query: OfOrganization) -> Response:
    """Show a client"""
    found = clients.show(desk(), actor(), path.client_id, organization_id=query.organization_id)
    return answer(shown(Client, found))


@blueprint.patch(
    "/<client_id>", security=needs(CLIENTS_WRITE), responses=gives(200, Client, WRITES)
)
def update_client(path: ClientPath, query: OfOrganization, body: ClientChanges) -> Response:
    """Change, disable or enable a client"""
    found = clients.update(
        desk(),
        actor(),
        path.client_id,
        clients.ClientChanges(**body.named()),
        organization_id=query.organization_id,
    )
    return answer(shown(Client, found))


@blueprint.delete(
    "/<client_id>", security=needs(CLIENTS_WRITE), responses=gives(204, None, (404, 409))
)
def delete_client(path: ClientPath, query: OfOrganization) -> Response:
    """Remove a client with its secrets"""
    clients.delete(desk(), actor(), path.client_id, organization_id=query.organization_id)
    return deleted()
