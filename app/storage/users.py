"""Users in the database, each looked up by id and organization."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.storage.audit import happened
from app.storage.models import UserRow


def get(
    session: Session, organization_id: str, user_id: str, *, lock: bool = False
) -> UserRow | None:
    """One user of this organization."""
    statement = select(UserRow).where(
        UserRow.id == user_id, UserRow.organization_id == organization_id
    )
    return session.scalar(statement.with_for_update() if lock else statement)


def is_or_was(session: Session, organization_id: str, user_id: str) -> bool:
    """Whether this is a user here, or one who was removed."""
    return get(session, organization_id, user_id) is not None or happened(
        session, organization_id, "user.removed", user_id
    )


def by_sign_in(session: Session, digest: bytes, *, lock: bool = False) -> UserRow | None:
    """Whose sign-in link has a secret with this SHA-256."""
    statement = select(UserRow).where(UserRow.sign_in_digest == digest)
    return session.scalar(statement.with_for_update() if lock else statement)


def by_email(session: Session, email: str) -> UserRow | None:
    """Who signs in with this address: addresses are unique in the installation."""
    return session.scalar(select(UserRow).where(UserRow.email == email))


def of_role(session: Session, organization_id: str, role: str, status: str) -> Sequence[str]:
    """Ids of its users of this role and status."""
    statement = select(UserRow.id).where(
        UserRow.organization_id == organization_id, UserRow.role == role, UserRow.status == status
    )
    return session.scalars(statement).all()


def with_second_factor(session: Session, *, lock: bool = False) -> Sequence[UserRow]:
    """Whoever has a secret of an authenticator app, in every organization."""
    statement = select(UserRow).where(UserRow.totp_secret.is_not(None)).order_by(UserRow.id)
    return session.scalars(statement.with_for_update() if lock else statement).all()


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
