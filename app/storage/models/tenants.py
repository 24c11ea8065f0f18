"""Organizations, and the plans they are on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base
from app.storage.search import Searchable


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


class OrganizationRow(Searchable, Base):
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
        Index(None, "search_name", "id"),
        Index(None, "status", "id"),
        Index(None, "plan_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    status: Mapped[str] = mapped_column(String(16))
    is_operator: Mapped[bool]
    plan_id: Mapped[str | None] = mapped_column(ForeignKey("plans.id"))
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
