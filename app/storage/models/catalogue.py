"""What can be granted: declared scopes, presets of them, and the resources that own them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base


class ScopeRow(Base):
    __tablename__ = "scopes"

    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    description: Mapped[str] = mapped_column(Text)
    implies: Mapped[list[str]]
    public: Mapped[bool]
    """May be held by a publishable key (C-6)."""
    created_at: Mapped[datetime]


class PresetRow(Base):
    __tablename__ = "presets"

    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    description: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ResourceRow(Base):
    __tablename__ = "resources"
    __table_args__ = (UniqueConstraint("organization_id", "identifier"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    identifier: Mapped[str] = mapped_column(String(512))
    """The audience: an absolute URI (RFC 8707 §2)."""
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str]]
    """Scopes it owns, wildcards allowed; a token that has one is meant for it."""
    environments: Mapped[list[str]]
    profile: Mapped[str | None] = mapped_column(String(40))
    """How errors read there; None: as its organization has it."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
