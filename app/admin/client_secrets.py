"""Client secrets: several may be valid at once, so that one is replaced without a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.admin import fields, rows
from app.admin.desk import SECRET_METHODS, Desk
from app.admin.grants import require_grantable
from app.admin.pages import DEFAULT_LIMIT, read_limit
from app.admin.rights import reach, require
from app.builtin import CLIENTS_READ, CLIENTS_WRITE
from app.errors import Conflict, NotFound
from app.ids import new_id
from app.key_templates import secret_template
from app.records import ACTIVE, EXPIRED, REVOKED, Actor, Organization
from app.storage import clients, organizations, statuses
from app.storage.models import ClientRow, ClientSecretRow
from app.storage.store import Transaction
from keyturn.apikey import key_digest, last_four, prefix_of
from keyturn.scope import Grant

MAX_USABLE = 10
"""Secrets of one client at once: each is compared on a failed authentication."""
MAX_NOTE = 200
SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """What is said of one more secret."""

    grace_seconds: int | None = None
    """How long the others live on, at most; 0: they end now; None: they stay as they are."""
    expires_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CreatedSecret:
    """A new secret: shown here and never again."""

    id: str
    client_secret: str = field(repr=False)
    expires_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ExpiringSecret:
    """A secret that ends soon, and whose it is."""

    client_id: str
    client_name: str
    secret: SecretView


@dataclass(frozen=True, slots=True)
class SecretView:
    """A secret as administrators see it; ``status`` is active, expired or revoked."""

    id: str
    prefix: str
    last_four: str
    note: str
    status: str
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    exposed_at: datetime | None
    """When it was first seen where others can read it; such a secret should be replaced."""
    exposed_by: str | None
    last_used_at: datetime | None


def add(
    desk: Desk,
    actor: Actor,
    client_id: str,
    new: NewSecret,
    *,
    organization_id: str | None = None,
) -> CreatedSecret:
    """Give a client one more secret. Raises Forbidden, Invalid, NotFound, Conflict.

    Whoever makes a secret can use it, so the actor must hold what the client holds.
    """
    require(actor, CLIENTS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        organization = rows.organization(work, organization_id)
        client = rows.client_row(work, organization_id, client_id)
        require_grantable(actor, organization, Grant.of(client.scopes))
        if client.token_endpoint_auth_method not in SECRET_METHODS:
            raise Conflict("This client does not authenticate by secret")
        others = clients.usable_secrets(work.session, client_id, work.now)
        if new.grace_seconds is not None:
            ends_at = work.now + fields.grace(new.grace_seconds)
            for other in others:
                other.expires_at = min(other.expires_at or ends_at, ends_at)
                if not new.grace_seconds:
                    # Who gives no grace fears them: what was obtained with them ends, too.
                    other.revoked_at = work.now
        if _still_usable(others, work.now) >= MAX_USABLE:
            raise Conflict(f"A client has at most {MAX_USABLE} secrets at once: end one first")
        created = new_secret(
            desk,
            work,
            organization,
            client,
            fields.expiry(new.expires_at, None, work.now),
            note=fields.note(new.note, "note", MAX_NOTE),
        )
        said: dict[str, Any] = (
            {} if new.grace_seconds is None else {"grace_seconds": new.grace_seconds}
        )
        record(work, client, "client_secret.created", created.id, **said)
        return created


def new_secret(
    desk: Desk,
    work: Transaction,
    organization: Organization,
    client: ClientRow,
    expires_at: datetime | None,
    *,
    note: str,
) -> CreatedSecret:
    """Write a secret of a client, checked before; its hash, and what people may see of it."""
    template = secret_template(desk.settings.key_prefix, organization.environments)
    text = template.generate(client.environment, desk.random_bytes)
    row = ClientSecretRow(
        id=new_id("sec"),
        client_id=client.client_id,
        digest=key_digest(text),
        prefix=prefix_of(text),
        last_four=last_four(text),
        note=note,
        created_at=work.now,
        created_by=work.actor.id,
        expires_at=expires_at,
    )
    work.session.add(row)
    statuses.allocate(
        work,
        statuses.CLIENT_SECRET,
        row.id,
        owner_id=client.client_id,
        organization_id=client.organization_id,
    )
    return CreatedSecret(row.id, text, expires_at, work.now)


def list_all(
    desk: Desk, actor: Actor, client_id: str, *, organization_id: str | None = None
) -> tuple[SecretView, ...]:
    """A client's secrets, ended ones too, the youngest first. Raises Forbidden, NotFound."""
    require(actor, CLIENTS_READ)
    organization_id = reach(actor, organization_id, write=False)
    client_id = fields.object_id(client_id, "client")
    now = desk.clock()
    with desk.store.reading() as session:
        if clients.get(session, organization_id, client_id) is None:
            raise NotFound("client")
        found = clients.secrets(session, client_id)
        return tuple(rows.view_of(SecretView, row, status=status(row, now)) for row in found)


def expiring(
    desk: Desk,
    actor: Actor,
    *,
    within: timedelta = SOON,
    limit: int = DEFAULT_LIMIT,
    organization_id: str | None = None,
) -> tuple[ExpiringSecret, ...]:
    """Secrets that end in this time, the first to end first.

    Raises Forbidden, Invalid, NotFound.
    """
    require(actor, CLIENTS_READ)
    organization_id = reach(actor, organization_id, write=False)
    limit = read_limit(limit)
    now = desk.clock()
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
        found = clients.expiring_secrets(session, organization_id, now, now + within, limit)
        return tuple(
            ExpiringSecret(
                client.client_id,
                client.name,
                rows.view_of(SecretView, secret, status=status(secret, now)),
            )
            for client, secret in found
        )


def remove(
    desk: Desk,
    actor: Actor,
    client_id: str,
    secret_id: str,
    *,
    organization_id: str | None = None,
) -> None:
    """End a secret now. Idempotent: the first time is kept. Raises Forbidden, NotFound."""
    require(actor, CLIENTS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        client = rows.client_row(work, organization_id, client_id)
        row = clients.secret(work.session, client_id, fields.object_id(secret_id, "secret"))
        if row is None:
            raise NotFound("secret")
        end(work, client, row)


def end(work: Transaction, client: ClientRow, row: ClientSecretRow, why: str | None = None) -> None:
    """End a secret of this client, locked before. Idempotent: the first time is kept."""
    if row.revoked_at is None:
        row.revoked_at = work.now
        said = {} if why is None else {"why": why}
        record(work, client, "client_secret.revoked", row.id, **said)


def record(
    work: Transaction, client: ClientRow, event: str, secret_id: str, **details: Any
) -> None:
    """Say what was done to a secret, to the auditors and to whoever holds it in memory."""
    work.record(
        event,
        "client",
        client.client_id,
        organization_id=client.organization_id,
        secret_id=secret_id,
        **details,
    )
    work.changed("client", client.client_id)


def _still_usable(secrets: Sequence[ClientSecretRow], now: datetime) -> int:
    return sum(1 for one in secrets if one.expires_at is None or one.expires_at > now)


def status(row: ClientSecretRow, now: datetime) -> str:
    """``active``, ``expired`` or ``revoked``."""
    if row.revoked_at is not None:
        return REVOKED
    return EXPIRED if row.expires_at is not None and row.expires_at <= now else ACTIVE
