"""Forms that have made something, in the database: each once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.storage.models import SubmissionRow

if TYPE_CHECKING:
    from app.storage.store import Store


def made(session: Session, digest: bytes) -> str | None:
    """The id of what this form has made."""
    return session.scalar(select(SubmissionRow.made).where(SubmissionRow.digest == digest))


def forget(store: Store, before: datetime) -> None:
    """Remove those that were sent before."""
    with store.begin() as connection:
        connection.execute(delete(SubmissionRow).where(SubmissionRow.created_at < before))
