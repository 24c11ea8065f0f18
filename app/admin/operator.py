"""The operator as an actor: the command line, and the first start."""

from __future__ import annotations

from app.admin.rights import COMMAND_LINE
from app.builtin import administration
from app.records import Actor
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
