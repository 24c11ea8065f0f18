"""The people who administer an organization, and where they are signed in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base


class UserRow(Base):
    """A person who administers an organization."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("email"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str | None] = mapped_column(Text)
    """Argon2id with its parameters; None: none was chosen yet."""
    totp_secret: Mapped[bytes | None]
    """Sealed under the master key, for this user's id."""
    totp_confirmed_at: Mapped[datetime | None]
    """Since when a code is asked for; None beside a secret: it was shown, and not proven yet."""
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    """The last step whose code was used (RFC 6238 §5.2): a code works once."""
    recovery_digests: Mapped[list[str]] = mapped_column(server_default="[]")
    """SHA-256 of the recovery codes that are left, in hex."""
    sign_in_digest: Mapped[bytes | None] = mapped_column(index=True)
    """SHA-256 of the one-time sign-in link's secret."""
    sign_in_expires_at: Mapped[datetime | None]
    last_sign_in_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class SessionRow(Base):
    """A browser in which somebody is signed in, or about to be."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    """SHA-256 of the secret in the cookie; another one after each proof of who it is."""
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    awaits_code: Mapped[bool]
    """The password was right, and the second factor is still to come."""
    looks_at: Mapped[str | None] = mapped_column(String(40))
    """The organization that somebody of the operator's has chosen; None: their own."""
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    """Written at most once a minute."""
    confirmed_at: Mapped[datetime | None]
    """When the password was last shown."""
