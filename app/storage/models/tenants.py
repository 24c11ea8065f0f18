"""Organizations, the plans they are on, and the people who administer them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base


class PlanRow(Base):
    """What an organization may do: caps and limits (rate limits come as data, not columns)."""

    __tablename__ = "plans"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    max_active_keys: Mapped[int | None]
    """None: no cap; 0: no keys."""
    rate_limits: Mapped[list[dict[str, Any]]]
    custom_key_limits: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class OrganizationRow(Base):
    __tablename__ = "organizations"
    __table_args__ = (
        # One operator, and never two: the first organization.
        Index(
            "uq_organizations_operator",
            "is_operator",
            unique=True,
            sqlite_where=text("is_operator"),
            postgresql_where=text("is_operator"),
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    status: Mapped[str] = mapped_column(String(16))
    is_operator: Mapped[bool]
    plan_id: Mapped[str | None] = mapped_column(ForeignKey("plans.id"), index=True)
    environments: Mapped[list[str]]
    key_template: Mapped[dict[str, Any]]
    """Departures from the default API key template; {}: none."""
    former_key_templates: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    """Whole templates that keys were made by before, the youngest first."""
    profile: Mapped[str] = mapped_column(String(40))
    """How errors are presented at this organization's resources (C-1)."""
    settings: Mapped[dict[str, Any]]
    rate_limits: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    """By class of routes, where neither key nor plan says anything."""
    key_policy: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What it asks of its API keys, in days; None: nothing."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


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
    sign_in_digest: Mapped[bytes | None]
    """SHA-256 of the one-time sign-in link's secret."""
    sign_in_expires_at: Mapped[datetime | None]
    last_sign_in_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
