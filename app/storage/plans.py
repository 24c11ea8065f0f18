"""Plans in the database."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.storage.models import PlanRow


def get(session: Session, plan_id: str, *, lock: bool = False) -> PlanRow | None:
    """One plan, locked until the transaction ends where asked."""
    statement = select(PlanRow).where(PlanRow.id == plan_id)
    return session.scalar(statement.with_for_update(key_share=True) if lock else statement)


def by_name(session: Session, name: str) -> PlanRow | None:
    """The plan of this name."""
    return session.scalar(select(PlanRow).where(PlanRow.name == name))


def page(session: Session, *, before: str | None, limit: int) -> list[PlanRow]:
    """The next ones, the youngest first."""
    statement = select(PlanRow).order_by(PlanRow.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(PlanRow.id < before)
    return list(session.scalars(statement))
