"""What ends a credential at once: revoked tokens, and API keys revoked by whoever holds them."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil

from sqlalchemy import delete, func, select, update

from app.errors import RateLimited
from app.records import ACTIVE, DISABLED, REVOKED, ApiKey
from app.storage.models import ApiKeyRow, RevokedTokenRow
from app.storage.statuses import place_of, raise_versions
from app.storage.store import Store, Transaction
from app.storage.upsert import upsert
from keyturn.claims import AccessTokenClaims

MOST_OF_ONE_CLIENT = 1_000
"""Revoked tokens of one client that have not expired: status lists carry them to every verifier."""


def revoke_token(work: Transaction, claims: AccessTokenClaims) -> None:
    """Remember until it expires that this token is revoked; the first time stands.

    Raises RateLimited.
    """
    place = place_of(claims.status)
    list_number = None if place is None else place[0]
    _require_room(work, claims.client_id)
    first = work.session.execute(
        upsert(work.session.connection(), RevokedTokenRow)
        .values(
            jti=claims.jti,
            client_id=claims.client_id,
            list_number=list_number,
            revoked_at=work.now,
            expires_at=datetime.fromtimestamp(claims.exp, UTC),
        )
        .on_conflict_do_nothing()
        .returning(RevokedTokenRow.jti)
    )
    if first.scalar_one_or_none() is not None:
        work.changed("revoked_token", claims.jti)
        work.changes += raise_versions(work.session, [list_number] if list_number else [])
        work.record("token.revoked", "token", claims.jti)


def _require_room(work: Transaction, client_id: str) -> None:
    row = RevokedTokenRow
    count, first = work.session.execute(
        select(func.count(), func.min(row.expires_at)).where(
            row.client_id == client_id, row.expires_at > work.now
        )
    ).one()
    if count >= MOST_OF_ONE_CLIENT:
        raise RateLimited(ceil((first - work.now).total_seconds()))


def revoke_key_by_possession(work: Transaction, key: ApiKey, digest: bytes) -> None:
    """Revoke the key that was presented (CONTRACT §4); the first time stands."""
    first = work.session.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.id == key.id, ApiKeyRow.status.in_((ACTIVE, DISABLED)))
        .values(
            status=REVOKED,
            revoked_at=work.now,
            revoked_reason="presented to the revocation endpoint",
            updated_at=work.now,
        )
        .returning(ApiKeyRow.id)
    )
    if first.scalar_one_or_none() is not None:
        work.changed("api_key", digest.hex())
        work.record(
            "api_key.revoked",
            "api_key",
            key.id,
            organization_id=key.organization_id,
            reason="by_possession",
        )


def forget_expired(store: Store, now: datetime) -> None:
    """Remove the tokens that have expired since: nobody asks about them any more."""
    with store.begin() as connection:
        connection.execute(delete(RevokedTokenRow).where(RevokedTokenRow.expires_at < now))
