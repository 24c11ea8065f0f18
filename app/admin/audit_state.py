"""How far the audit chains reach, and how far somebody vouches for them (ADR 9)."""

from __future__ import annotations

from app.admin.desk import Desk
from app.admin.rights import reach, require
from app.builtin import AUDIT_READ
from app.records import Actor
from app.storage import streams
from app.storage.streams import ChainEnd

__all__ = ["ChainEnd", "ends"]


def ends(desk: Desk, actor: Actor, *, organization_id: str | None = None) -> tuple[ChainEnd, ...]:
    """The organization's chains: that of its acts, and those of its token events.

    Raises Forbidden, NotFound.
    """
    require(actor, AUDIT_READ)
    home = reach(actor, organization_id, write=False)
    with desk.store.connect() as connection:
        return tuple(streams.ends(connection, home))
