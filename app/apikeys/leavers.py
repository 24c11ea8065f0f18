"""What somebody has had in their hands: credentials to end when they leave (S2-55).

A key or secret is shown once, to whoever makes it; so those who made it are all who have seen it.
The person may have been removed before: what they made still says by whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.admin import client_secrets, fields, rows
from app.admin.desk import Desk
from app.admin.pages import DEFAULT_LIMIT, page_of, read_cursor, read_limit
from app.admin.rights import reach, require, require_environment
from app.apikeys import endings
from app.apikeys.values import ApiKeyView, view
from app.builtin import CLIENTS_READ, CLIENTS_WRITE, KEYS_READ, KEYS_WRITE
from app.errors import NotFound
from app.records import Actor
from app.storage import api_keys, clients, organizations, users


@dataclass(frozen=True, slots=True)
class HeldSecret:
    """A client's secret that somebody has seen."""

    id: str
    client_id: str
    client_name: str
    prefix: str
    last_four: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Held:
    """What is still good for something, or could be again."""

    api_keys: tuple[ApiKeyView, ...]
    client_secrets: tuple[HeldSecret, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """Ids of what was ended."""

    api_keys: tuple[str, ...]
    client_secrets: tuple[str, ...]


def held(
    desk: Desk,
    actor: Actor,
    user_id: str,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
) -> Held:
    """A page of what this person made: keys first, then secrets. Raises Forbidden, Invalid,
    NotFound."""
    require(actor, KEYS_READ)
    require(actor, CLIENTS_READ)
    organization_id = reach(actor, organization_id, write=False)
    person, now = fields.object_id(user_id, "user"), desk.clock()
    limit, after = read_limit(limit), read_cursor(cursor)
    with desk.store.reading() as session:
        owner = organizations.existing(session, organization_id)
        whose = session, organization_id, person, now
        # One list in the order of ids, for those of keys come before those of secrets.
        keys = api_keys.seen_by(*whose, after=after, most=limit + 1)
        secrets = clients.secrets_by(*whose, after=after, most=limit + 1 - len(keys))
        if not keys and not secrets and not users.is_or_was(session, organization_id, person):
            raise NotFound("user")
        views: list[ApiKeyView | HeldSecret] = [view(owner, row, now) for row in keys]
        views += [rows.view_of(HeldSecret, one, client_name=client.name) for client, one in secrets]
    page = page_of(views, limit, lambda one: one.id, lambda one: one)
    return Held(
        tuple(one for one in page.data if isinstance(one, ApiKeyView)),
        tuple(one for one in page.data if isinstance(one, HeldSecret)),
        page.next_cursor,
    )


def revoke_all(
    desk: Desk,
    actor: Actor,
    user_id: str,
    *,
    reason: str = "employee_left",
    organization_id: str | None = None,
) -> Ended:
    """End every key and client secret that this person made: all of them or none.

    A client lives on by the secrets that others made. Raises Forbidden, Invalid, NotFound.
    """
    require(actor, KEYS_WRITE)
    require(actor, CLIENTS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    person, why = fields.object_id(user_id, "user"), endings.read_reason(reason)
    with desk.store.transaction(actor) as work:
        keys = endings.end_all(work, organization_id, person, why)
        secrets = clients.secrets_by(work.session, organization_id, person, work.now, lock=True)
        for client, secret in secrets:
            require_environment(actor, client.environment)
            client_secrets.end(work, client, secret, why)
        known = keys or secrets or users.is_or_was(work.session, organization_id, person)
        if not known:
            raise NotFound("user")
        return Ended(keys, tuple(secret.id for _, secret in secrets))
