"""Signing keys in the database: one ``next``, one ``current``, and what they replaced."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.storage.models import SigningKeyRow
from app.storage.store import Transaction

NEXT = "next"
CURRENT = "current"
PREVIOUS = "previous"
RETIRED = "retired"

PUBLISHED = (NEXT, CURRENT, PREVIOUS)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A signing key as it lies in the database."""

    kid: str
    algorithm: str
    stage: str
    public_jwk: dict[str, Any]
    private_key: bytes | None = field(repr=False)
    """Encrypted under the master key."""
    created_at: datetime
    activated_at: datetime | None
    replaced_at: datetime | None
    retired_at: datetime | None


def listed(session: Session, stages: tuple[str, ...] = (*PUBLISHED, RETIRED)) -> list[StoredKey]:
    """The keys in these stages, the oldest first."""
    rows = session.scalars(
        select(SigningKeyRow)
        .where(SigningKeyRow.stage.in_(stages))
        .order_by(SigningKeyRow.created_at, SigningKeyRow.kid)
    )
    names = StoredKey.__dataclass_fields__
    return [StoredKey(**{name: getattr(row, name) for name in names}) for row in rows]


def add(work: Transaction, key: StoredKey) -> None:
    """Write a new key. Raises Conflict when its stage is taken."""
    names = StoredKey.__dataclass_fields__
    work.session.add(SigningKeyRow(**{name: getattr(key, name) for name in names}))
    work.session.flush()


def move(work: Transaction, kid: str, stage: str, to: str, **also: Any) -> bool:
    """Move a key from one stage to another; False when somebody else has moved it already."""
    moved = work.session.execute(
        update(SigningKeyRow)
        .where(SigningKeyRow.kid == kid, SigningKeyRow.stage == stage)
        .values(stage=to, **also)
        .returning(SigningKeyRow.kid)
    )
    return moved.scalar_one_or_none() is not None
