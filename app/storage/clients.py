"""Clients and their secrets in the database, each looked up by id and organization."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.records import ACTIVE
from app.storage.models import ClientRow, ClientSecretRow
from app.storage.search import is_found, looked_at_last


def get(
    session: Session, organization_id: str, client_id: str, *, lock: bool = False
) -> ClientRow | None:
    """One client of this organization."""
    statement = select(ClientRow).where(
        ClientRow.client_id == client_id, ClientRow.organization_id == organization_id
    )
    return session.scalar(statement.with_for_update(key_share=True) if lock else statement)


def page(
    session: Session,
    organization_id: str,
    *,
    before: str | None,
    limit: int,
    status: str | None = None,
    environment: str | None = None,
    search: str | None = None,
) -> list[ClientRow]:
    """The next ones of this organization, the youngest first."""
    statement = (
        select(ClientRow)
        .where(ClientRow.organization_id == organization_id)
        .order_by(ClientRow.client_id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(ClientRow.client_id < before)
    if status is not None:
        statement = statement.where(ClientRow.status == status)
    if environment is not None:
        statement = statement.where(ClientRow.environment == environment)
    if search is not None:
        mine = ClientRow.organization_id == organization_id
        statement = statement.where(is_found(ClientRow, ClientRow.client_id, search, mine))
    return list(session.scalars(statement))


def by_secret(
    session: Session, digest: bytes, *, lock: bool = False
) -> tuple[ClientRow, ClientSecretRow] | None:
    """The client and its secret with this SHA-256: for whoever knows the secret."""
    statement = (
        select(ClientRow, ClientSecretRow)
        .join(ClientSecretRow, ClientSecretRow.client_id == ClientRow.client_id)
        .where(ClientSecretRow.digest == digest)
    )
    locked = statement.with_for_update(key_share=True) if lock else statement
    found = session.execute(locked).one_or_none()
    return None if found is None else (found[0], found[1])


def secret(session: Session, client_id: str, secret_id: str) -> ClientSecretRow | None:
    """One secret of this client, ended ones included."""
    return session.scalar(
        select(ClientSecretRow).where(
            ClientSecretRow.id == secret_id, ClientSecretRow.client_id == client_id
        )
    )


def secrets(session: Session, client_id: str) -> Sequence[ClientSecretRow]:
    """Every secret of this client, the youngest first."""
    return session.scalars(
        select(ClientSecretRow)
        .where(ClientSecretRow.client_id == client_id)
        .order_by(ClientSecretRow.id.desc())
    ).all()


def expiring_secrets(
    session: Session, organization_id: str, now: datetime, until: datetime, limit: int
) -> Sequence[tuple[ClientRow, ClientSecretRow]]:
    """Secrets of this organization that end in this time and were not ended, the first to end
    first."""
    statement = (
        select(ClientRow, ClientSecretRow)
        .join(ClientSecretRow, ClientSecretRow.client_id == ClientRow.client_id)
        .where(
            looked_at_last(session, ClientRow.organization_id) == organization_id,
            ClientSecretRow.expires_at > now,
            ClientSecretRow.expires_at <= until,
            ClientSecretRow.revoked_at.is_(None),
        )
        .order_by(ClientSecretRow.expires_at, ClientSecretRow.id)
        .limit(limit)
    )
    return [(client, secret) for client, secret in session.execute(statement)]


def usable_secrets(session: Session, client_id: str, now: datetime) -> Sequence[ClientSecretRow]:
    """The secrets this client can authenticate with now."""
    return session.scalars(
        select(ClientSecretRow).where(ClientSecretRow.client_id == client_id, *_usable(now))
    ).all()


def with_jwks_uri(session: Session, limit: int) -> list[tuple[str, str]]:
    """Active clients whose keys lie elsewhere, and where, the youngest first."""
    row = ClientRow
    statement = select(row.client_id, row.jwks_uri).where(
        row.jwks_uri.is_not(None), row.status == ACTIVE
    )
    found = session.execute(statement.order_by(row.client_id.desc()).limit(limit))
    return [(client_id, uri) for client_id, uri in found if uri is not None]


def secrets_by(
    session: Session,
    organization_id: str,
    person: str,
    now: datetime,
    *,
    after: str | None = None,
    most: int | None = None,
    lock: bool = False,
) -> list[tuple[ClientRow, ClientSecretRow]]:
    """The usable secrets of this organization's clients that this person made, in the order of
    their ids, or to be locked: of their clients."""
    statement = (
        select(ClientRow, ClientSecretRow)
        .join(ClientSecretRow, ClientSecretRow.client_id == ClientRow.client_id)
        .where(
            looked_at_last(session, ClientRow.organization_id) == organization_id,
            ClientSecretRow.created_by == person,
            *_usable(now),
        )
        .order_by(*([ClientRow.client_id] if lock else []), ClientSecretRow.id)
        .limit(most)
    )
    if after is not None:
        statement = statement.where(looked_at_last(session, ClientSecretRow.id) > after)
    locked = statement.with_for_update(key_share=True) if lock else statement
    return [(client, secret) for client, secret in session.execute(locked)]


def _usable(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        ClientSecretRow.revoked_at.is_(None),
        or_(ClientSecretRow.expires_at.is_(None), ClientSecretRow.expires_at > now),
    )
