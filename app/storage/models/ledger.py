"""What happened: audit events, the feed of changes, and tokens revoked before their time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base

_Sequence = BigInteger().with_variant(Integer, "sqlite")


class AuditEventRow(Base):
    __tablename__ = "audit_events"
    __table_args__ = (
        Index(None, "organization_id", "id"),
        Index(None, "organization_id", "actor_id", "id"),
        Index(None, "organization_id", "target_id", "id"),
        Index(None, "request_id"),
        # Who made which keys: few, however many events there are.
        Index(
            "ix_audit_events_made_keys",
            "organization_id",
            "actor_id",
            "target_id",
            sqlite_where=text("type = 'api_key.created'"),
            postgresql_where=text("type = 'api_key.created'"),
        ),
        UniqueConstraint("stream", "sequence"),
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
    stream: Mapped[str] = mapped_column(String(40))
    """Whose chain it stands in (ADR 9)."""
    sequence: Mapped[int] = mapped_column(BigInteger)
    """From 1, without gaps; the order of arrival, which for tokens is not quite that of time."""
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditStreamRow(Base):
    """The end of a chain. Whoever appends holds the row until it commits, so a reader that saw
    ``sequence`` can read every row up to it."""

    __tablename__ = "audit_streams"

    stream: Mapped[str] = mapped_column(String(40), primary_key=True)
    """An organization's id, or ``installation``."""
    sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    head_hash: Mapped[bytes] = mapped_column(LargeBinary(32), default=bytes(32))
    kept_after: Mapped[int] = mapped_column(BigInteger, default=0)
    """Retention has removed the rows up to this one."""
    first_checkpoint: Mapped[int] = mapped_column(BigInteger, default=1)
    """The oldest one that is kept: once rows were removed, the one about ``kept_after``."""
    checkpoint: Mapped[int] = mapped_column(BigInteger, default=0)
    """Number of the youngest checkpoint; the next four are about it."""
    checkpoint_hash: Mapped[bytes] = mapped_column(LargeBinary(32), default=bytes(32))
    checkpoint_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    checkpoint_kid: Mapped[str | None] = mapped_column(String(64))
    checkpoint_at: Mapped[datetime | None]


class AuditCheckpointRow(Base):
    """A signed statement of where a chain stood."""

    __tablename__ = "audit_checkpoints"

    stream: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(_Sequence, primary_key=True, autoincrement=False)
    """From 1, without gaps."""
    sequence: Mapped[int] = mapped_column(BigInteger)
    time: Mapped[datetime]
    jws: Mapped[str] = mapped_column(Text)


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
    client_id: Mapped[str] = mapped_column(String(64), index=True)
    list_number: Mapped[int | None]
    """The status list that names it; None: every one."""
    revoked_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SubmissionRow(Base):
    """A form that has made something: sent again, it makes nothing."""

    __tablename__ = "submissions"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    """SHA-256 of its token and of who has sent it."""
    made: Mapped[str] = mapped_column(String(512))
    created_at: Mapped[datetime] = mapped_column(index=True)
