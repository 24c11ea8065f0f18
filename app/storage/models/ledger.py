"""What happened: audit events, the feed of changes, and tokens revoked before their time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base

_Sequence = BigInteger().with_variant(Integer, "sqlite")


class AuditEventRow(Base):
    __tablename__ = "audit_events"
    __table_args__ = (
        Index(None, "organization_id", "id"),
        Index(None, "target_id", "id"),
        Index(None, "request_id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Sortable by time; the journal's lines carry it, so shipping one twice changes nothing."""
    time: Mapped[datetime]
    type: Mapped[str] = mapped_column(String(64))
    actor_type: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str | None] = mapped_column(String(64))
    organization_id: Mapped[str | None] = mapped_column(String(40))
    target_type: Mapped[str | None] = mapped_column(String(32))
    target_id: Mapped[str | None] = mapped_column(String(512))
    outcome: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, Any]]


class FeedHeadRow(Base):
    """The last sequence given out. Its one row stays locked until the writer commits, so
    sequences become visible in their order: a reader that saw n has seen all below n."""

    __tablename__ = "feed_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger)


class ChangeRow(Base):
    __tablename__ = "changes"

    sequence: Mapped[int] = mapped_column(_Sequence, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(index=True)


class CounterRow(Base):
    """A shared counter of one window, where there is no Redis."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of window and name: names hold what strangers send."""
    ends_at: Mapped[datetime] = mapped_column(index=True)
    count: Mapped[int] = mapped_column(BigInteger)


class RevokedTokenRow(Base):
    """A token revoked before its time (RFC 7009); kept until it would have expired anyway."""

    __tablename__ = "revoked_tokens"

    jti: Mapped[str] = mapped_column(String(128), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64))
    revoked_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
