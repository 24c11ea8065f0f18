"""The operator as an actor: the command line, and the first start."""

from __future__ import annotations

from app.admin.desk import Desk
from app.admin.rights import COMMAND_LINE
from app.builtin import administration
from app.errors import StartRefused
from app.records import Actor
from app.storage import organizations
from keyturn.scope import ScopeSet


def operator_actor(organization_id: str, id: str = "command-line") -> Actor:
    """Whoever has the machine has the database and the keys: it may grant anything."""
    return Actor(
        type=COMMAND_LINE,
        id=id,
        organization_id=organization_id,
        is_operator=True,
        scopes=ScopeSet.of(administration(operator=True)),
    )


def command_line(desk: Desk) -> Actor:
    """The actor of the command line. Raises StartRefused before the first start."""
    with desk.store.reading() as session:
        row = organizations.operator(session)
    if row is None:
        raise StartRefused("Nothing is set up yet: run `flask bootstrap` (or `make run`)")
    return operator_actor(row.id)
