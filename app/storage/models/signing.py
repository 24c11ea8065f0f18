"""The keyring's keys, private halves encrypted under the master key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base


class SigningKeyRow(Base):
    __tablename__ = "signing_keys"
    __table_args__ = (
        # At most one `next` and one `current`, whoever rotates at the same time.
        Index(
            "uq_signing_keys_stage",
            "stage",
            unique=True,
            sqlite_where=text("stage IN ('next', 'current')"),
            postgresql_where=text("stage IN ('next', 'current')"),
        ),
    )

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    algorithm: Mapped[str] = mapped_column(String(16))
    stage: Mapped[str] = mapped_column(String(16))
    """``next`` → ``current`` → ``previous`` → ``retired``."""
    public_jwk: Mapped[dict[str, Any]]
    private_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    """PKCS #8 under AES-256-GCM, the ``kid`` as associated data; None once retired."""
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    replaced_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
