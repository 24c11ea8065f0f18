"""Sessions of people in the database, each looked up by its digest or by its user."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from app.storage.models import SessionRow, UserRow


def by_digest(session: Session, digest: bytes) -> tuple[SessionRow, UserRow] | None:
    """The session whose secret has this SHA-256, and whose it is."""
    found = session.execute(
        select(SessionRow, UserRow)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(SessionRow.digest == digest)
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def get(session: Session, user_id: str, session_id: str) -> SessionRow | None:
    """One session of this user, locked."""
    return session.scalar(
        select(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.user_id == user_id)
        .with_for_update()
    )


def of_user(session: Session, user_id: str) -> Sequence[SessionRow]:
    """Every session of this user, the one that was used last first."""
    statement = select(SessionRow).where(SessionRow.user_id == user_id)
    return session.scalars(statement.order_by(SessionRow.last_seen_at.desc())).all()


def seen(connection: Connection, session_id: str, before: datetime, now: datetime) -> None:
    """Note that it is in use, unless another request has just done so."""
    connection.execute(
        update(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.last_seen_at == before)
        .values(last_seen_at=now)
    )


def end(
    session: Session, user_id: str, *, only: str | None = None, but: str | None = None
) -> tuple[str, ...]:
    """Remove sessions of this user: all, ``only`` one, or all ``but`` one. Their ids."""
    statement = delete(SessionRow).where(SessionRow.user_id == user_id)
    if only is not None:
        statement = statement.where(SessionRow.id == only)
    if but is not None:
        statement = statement.where(SessionRow.id != but)
    ended = session.scalars(
        statement.returning(SessionRow.id).execution_options(synchronize_session=False)
    )
    return tuple(ended)


def forget(connection: Connection, made_until: datetime, seen_until: datetime) -> None:
    """Remove those that have ended by themselves."""
    over: ColumnElement[bool] = or_(
        SessionRow.created_at <= made_until, SessionRow.last_seen_at <= seen_until
    )
    connection.execute(delete(SessionRow).where(over))
