"""Users in the database, each looked up by id and organization."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.storage.models import UserRow


def get(
    session: Session, organization_id: str, user_id: str, *, lock: bool = False
) -> UserRow | None:
    """One user of this organization."""
    statement = select(UserRow).where(
        UserRow.id == user_id, UserRow.organization_id == organization_id
    )
    return session.scalar(statement.with_for_update() if lock else statement)


def by_sign_in(session: Session, digest: bytes, *, lock: bool = False) -> UserRow | None:
    """Whose link or session secret has this SHA-256."""
    statement = select(UserRow).where(UserRow.sign_in_digest == digest)
    return session.scalar(statement.with_for_update() if lock else statement)


def email_taken(session: Session, email: str) -> bool:
    """Whether anybody signs in with this address: addresses are unique in the installation."""
    return session.scalar(select(UserRow.id).where(UserRow.email == email)) is not None


def page(
    session: Session, organization_id: str, *, before: str | None, limit: int
) -> list[UserRow]:
    """The next ones of this organization, the youngest first."""
    statement = (
        select(UserRow)
        .where(UserRow.organization_id == organization_id)
        .order_by(UserRow.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(UserRow.id < before)
    return list(session.scalars(statement))
