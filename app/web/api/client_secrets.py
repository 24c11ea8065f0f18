"""``/v1/clients/{client_id}/secrets``: several at once, so that one is replaced without a gap."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import BaseModel, Field

from app.admin import client_secrets
from app.builtin import CLIENTS_READ, CLIENTS_WRITE
from app.errors import NotFound
from app.web.api.answers import answer, created, cut, deleted, listed, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, WRITES, collection, gives, needs
from app.web.api.values import (
    Answer,
    Instant,
    OfOrganization,
    OptionalBody,
    OrganizationListing,
    PageOf,
    PathId,
    Seconds,
    example,
)

blueprint = collection("client-secrets", "The secrets of a client", "clients/<client_id>/secrets")


class ClientPath(BaseModel):
    """One client."""

    client_id: PathId


class SecretPath(ClientPath):
    """One of its secrets."""

    secret_id: PathId


class NewSecret(OptionalBody):
    """One more secret."""

    model_config = example(required=False, grace_seconds=86400, note="Yearly change")

    grace_seconds: Seconds | None = Field(
        None, description="How long the other secrets live on; 0: they end now; null: as they are."
    )
    expires_at: Instant | None = None
    note: Annotated[str, Field(max_length=client_secrets.MAX_NOTE)] = ""


class CreatedSecret(Answer):
    """A new secret: shown here and never again."""

    id: str
    client_secret: str
    expires_at: Instant | None
    created_at: Instant


class Secret(Answer):
    """A secret as administrators see it."""

    id: str
    prefix: str
    last_four: str
    note: str
    status: str
    created_at: Instant
    created_by: str | None
    expires_at: Instant | None
    exposed_at: Instant | None
    exposed_by: str | None
    last_used_at: Instant | None


class SecretPage(PageOf[Secret]):
    """Secrets, ended ones too, the youngest first."""


@blueprint.get("", security=needs(CLIENTS_READ), responses=gives(200, SecretPage, OBJECT))
def list_secrets(path: ClientPath, query: OrganizationListing) -> Response:
    """List a client's secrets"""
    found = client_secrets.list_all(
        desk(), actor(), path.client_id, organization_id=query.organization_id
    )
    return listed(SecretPage, cut(found, query, lambda one: one.id))


@blueprint.post("", security=needs(CLIENTS_WRITE), responses=gives(201, CreatedSecret, WRITES))
def add_secret(path: ClientPath, query: OfOrganization, body: NewSecret) -> Response:
    """Make one more secret"""
    made = client_secrets.add(
        desk(),
        actor(),
        path.client_id,
        client_secrets.NewSecret(**body.named()),
        organization_id=query.organization_id,
    )
    return created(shown(CreatedSecret, made), "clients", path.client_id, "secrets", made.id)


@blueprint.get("/<secret_id>", security=needs(CLIENTS_READ), responses=gives(200, Secret, OBJECT))
def show_secret(path: SecretPath, query: OfOrganization) -> Response:
    """Show what is known of a secret"""
    found = client_secrets.list_all(
        desk(), actor(), path.client_id, organization_id=query.organization_id
    )
    for one in found:
        if one.id == path.secret_id:
            return answer(shown(Secret, one))
    raise NotFound("secret")


@blueprint.delete(
    "/<secret_id>", security=needs(CLIENTS_WRITE), responses=gives(204, None, (404, 409))
)
def end_secret(path: SecretPath, query: OfOrganization) -> Response:
    """End a secret now"""
    client_secrets.remove(
        desk(), actor(), path.client_id, path.secret_id, organization_id=query.organization_id
    )
    return deleted()
