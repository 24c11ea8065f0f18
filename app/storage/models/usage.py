"""How credentials are used: counts, the scopes they exercise, the networks they are seen from.

No foreign keys: what is counted may have been removed meanwhile, and stays for as long as the
retention says.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Float, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base


class UsageCountRow(Base):
    """So many uses of a credential in an hour, in one class of routes, with one outcome."""

    __tablename__ = "usage_counts"
    __table_args__ = (Index(None, "organization_id", "hour"), Index(None, "hour"))

    credential_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Hours since 1970 in UTC; a day is 24 of them on every database."""
    route_class: Mapped[str] = mapped_column(String(32), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(16), primary_key=True)
    credential_type: Mapped[str] = mapped_column(String(16))
    organization_id: Mapped[str] = mapped_column(String(40))
    count: Mapped[int] = mapped_column(BigInteger)


class UsageNetworkRow(Base):
    """A network that a credential was seen from."""

    __tablename__ = "usage_networks"
    __table_args__ = (
        Index(None, "organization_id", "credential_id", "network"),
        Index(None, "last_seen_at"),
    )

    credential_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    network: Mapped[str] = mapped_column(String(45), primary_key=True)
    """As ``keyturn.networks`` writes it."""
    credential_type: Mapped[str] = mapped_column(String(16))
    organization_id: Mapped[str] = mapped_column(String(40))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    count: Mapped[int] = mapped_column(BigInteger)


class UsageScopeRow(Base):
    """When a credential last had a scope in a token, and when it last exercised it."""

    __tablename__ = "usage_scopes"

    credential_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    scope: Mapped[str] = mapped_column(String(128), primary_key=True)
    last_issued_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class UsageReportRow(Base):
    """A report that was counted, so that the same one is not counted again."""

    __tablename__ = "usage_reports"

    reporter_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """As the reporter calls it."""
    received_at: Mapped[datetime] = mapped_column(index=True)
    accepted: Mapped[int]
    ignored: Mapped[int]


class RequestRecordRow(Base):
    """A single request at an API, as the usage log shows it."""

    __tablename__ = "request_records"
    __table_args__ = (
        Index(None, "organization_id", "id"),
        Index(None, "credential_id", "id"),
        Index(None, "organization_id", "request_id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Sortable by ``at``."""
    at: Mapped[datetime]
    credential_type: Mapped[str] = mapped_column(String(16))
    credential_id: Mapped[str] = mapped_column(String(64))
    organization_id: Mapped[str] = mapped_column(String(40))
    method: Mapped[str] = mapped_column(String(16))
    route: Mapped[str] = mapped_column(String(256))
    """The template, not the path."""
    status: Mapped[int]
    latency_ms: Mapped[float | None] = mapped_column(Float)
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(256))
    request_id: Mapped[str | None] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))
