"""What ends a credential at once: revoked tokens, and API keys revoked by whoever holds them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete, update

from app.records import ACTIVE, DISABLED, REVOKED, ApiKey
from app.storage.models import ApiKeyRow, RevokedTokenRow
from app.storage.store import Store, Transaction
from app.storage.upsert import upsert
from keyturn.claims import AccessTokenClaims


def revoke_token(work: Transaction, claims: AccessTokenClaims) -> None:
    """Remember until it expires that this token is revoked; the first time stands."""
    first = work.session.execute(
        upsert(work.session.connection(), RevokedTokenRow)
        .values(
            jti=claims.jti,
            client_id=claims.client_id,
            revoked_at=work.now,
            expires_at=datetime.fromtimestamp(claims.exp, UTC),
        )
        .on_conflict_do_nothing()
        .returning(RevokedTokenRow.jti)
    )
    if first.scalar_one_or_none() is not None:
        work.changed("revoked_token", claims.jti)
        work.record("token.revoked", "token", claims.jti)


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
