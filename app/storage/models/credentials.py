"""Clients with their secrets, and API keys: hashes only, never what was shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base
from app.storage.search import Searchable


class ClientRow(Searchable, Base):
    __tablename__ = "clients"
    __table_args__ = (
        Index(None, "organization_id", "client_id"),
        Index(None, "organization_id", "search_name", "client_id"),
    )

    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text)
    environment: Mapped[str] = mapped_column(String(32))
    scopes: Mapped[list[str]]
    """As granted: wildcards are kept, and expanded against the catalogue when used."""
    preset: Mapped[str | None] = mapped_column(String(64))
    audiences: Mapped[list[str]]
    """Resources it may name; []: every resource of its organization."""
    grant_types: Mapped[list[str]]
    token_endpoint_auth_method: Mapped[str] = mapped_column(String(40))
    jwks: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    jwks_uri: Mapped[str | None] = mapped_column(Text)
    token_ttl: Mapped[int | None]
    """Seconds; None: the installation's default."""
    act_as_organizations: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Whom a service credential may act for; None: every organization."""
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(String(64))
    updated_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class ClientSecretRow(Base):
    __tablename__ = "client_secrets"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(
        ForeignKey("clients.client_id", ondelete="CASCADE"), index=True
    )
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    prefix: Mapped[str] = mapped_column(String(40))
    last_four: Mapped[str] = mapped_column(String(4))
    note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(String(64), index=True)
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    exposed_at: Mapped[datetime | None]
    exposed_by: Mapped[str | None] = mapped_column(String(32))
    """As of an API key."""
    last_used_at: Mapped[datetime | None]


class NamingRow(Base):
    """A scope or an audience that a client or a key names: written by the database, by triggers
    on their tables, so that it is right whichever version of a node writes them."""

    __tablename__ = "namings"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    organization_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(512), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    """``client``: among its scopes; ``audience``: among its audiences; ``api_key``: among the
    scopes of one that could be used again."""
    holder_id: Mapped[str] = mapped_column(String(64), primary_key=True)


class ApiKeyRow(Searchable, Base):
    __tablename__ = "api_keys"
    __table_args__ = (
        Index(None, "organization_id", "id"),
        Index(None, "organization_id", "search_name", "id"),
        Index(None, "organization_id", "status"),
        Index(None, "organization_id", "created_at"),
        Index(None, "organization_id", "created_by", "id"),
        # What is still to be written down as expired: few, however many keys there are.
        Index(
            "ix_api_keys_over",
            "expires_at",
            sqlite_where=text("status = 'active'"),
            postgresql_where=text("status = 'active'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text)
    environment: Mapped[str] = mapped_column(String(32), nullable=True)
    """Never null, although the first tables allowed it: every key lives somewhere, whether or not
    its text tells where."""
    kind: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[list[str]]
    """Flat and literal: a later edit of preset or catalogue does not widen an old key (S2-28)."""
    preset: Mapped[str | None] = mapped_column(String(64))
    allowed_ips: Mapped[list[str]]
    allowed_domains: Mapped[list[str]]
    missing_origin: Mapped[str | None] = mapped_column(String(8))
    """``allow`` or ``deny``; None, of keys older than the column: deny."""
    browser_origin: Mapped[str | None] = mapped_column(String(8))
    """``allow`` or ``deny``; None: as the organization's policy has it."""
    rate_limits: Mapped[list[dict[str, Any]]]
    act_as_organizations: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """As of a client."""
    status: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    prefix: Mapped[str] = mapped_column(String(40))
    last_four: Mapped[str] = mapped_column(String(4))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None] = mapped_column(String(200))
    exposed_at: Mapped[datetime | None]
    exposed_by: Mapped[str | None] = mapped_column(String(32))
    """How it was seen where others can read it, at first."""
    rotated_from: Mapped[str | None] = mapped_column(String(40))
    rotated_to: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(String(64))
    updated_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
