"""Where each credential stands in the published status lists (ADR 13)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base


class StatusListRow(Base):
    """A published list; they are numbered from 1, and none is ever taken away."""

    __tablename__ = "status_lists"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
    """Raised whenever the list says something else."""


class StatusEntryRow(Base):
    """A place in a list, and whose it is. It outlives the credential: tokens do, too."""

    __tablename__ = "status_entries"
    __table_args__ = (
        Index(None, "owner_id"),
        Index(None, "organization_id", "status"),
        # What a list is made from: all others are valid.
        Index(
            "ix_status_entries_stopped",
            "list_number",
            sqlite_where=text("status <> 0"),
            postgresql_where=text("status <> 0"),
        ),
    )

    list_number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """Drawn at random: it says nothing of how many credentials there are, or which came first."""
    kind: Mapped[str] = mapped_column(String(16))
    """``client``, ``client_secret`` or ``api_key``."""
    subject_id: Mapped[str] = mapped_column(String(64), unique=True)
    owner_id: Mapped[str] = mapped_column(String(64))
    """The client or API key whose standing holds for it, too."""
    organization_id: Mapped[str] = mapped_column(String(40))
    status: Mapped[int] = mapped_column(SmallInteger)
    """0 valid, 1 invalid for ever, 2 suspended (draft-ietf-oauth-status-list §7.1)."""
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    """When it became invalid."""
