"""Who am I: the credential that asks, as it was understood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.admin.desk import Desk
from app.records import Actor
from app.storage import api_keys, organizations


@dataclass(frozen=True, slots=True)
class OrganizationName:
    """An organization, by id and name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Me:
    """The credential that asks."""

    type: str
    id: str
    organization: OrganizationName
    environment: str | None
    scopes: tuple[str, ...]
    expires_at: datetime | None
    acts_from: str | None
    """The organization of a service credential that acts for this one."""


def me(desk: Desk, actor: Actor, *, expires_at: datetime | None = None) -> Me:
    """No right is needed. ``expires_at`` is the token's, where one was presented."""
    with desk.store.reading() as session:
        row = organizations.get(session, actor.organization_id)
        name = row.name if row is not None else ""
        if actor.type == "api_key":
            key = api_keys.get(session, actor.home, actor.id)
            expires_at = key.expires_at if key is not None else expires_at
    return Me(
        type=actor.type,
        id=actor.id,
        organization=OrganizationName(actor.organization_id, name),
        environment=actor.environment,
        scopes=tuple(actor.scopes),
        expires_at=expires_at,
        acts_from=actor.acts_from,
    )
