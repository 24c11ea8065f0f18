"""Whom a service credential may act for: its allow-list, and who may write it (C-21)."""

from __future__ import annotations

from collections.abc import Sequence

from app.admin import fields
from app.builtin import ACT_AS_ORGANIZATION
from app.errors import Forbidden, Invalid
from app.storage import organizations
from app.storage.store import Transaction
from keyturn.scope import ScopeSet

MAX_ORGANIZATIONS = 100
FIELD = "act_as_organizations"


def read_allowed(work: Transaction, scopes: ScopeSet, named: Sequence[str]) -> list[str]:
    """Ids of organizations, for a credential with these scopes; none: every organization.

    Raises Invalid, and Forbidden for more than the actor may act for itself.
    """
    wanted = fields.distinct(named, FIELD, MAX_ORGANIZATIONS)
    if ACT_AS_ORGANIZATION not in scopes:
        if wanted:
            raise Invalid(f"Only for a credential with {ACT_AS_ORGANIZATION}", field=FIELD)
        return []
    own = work.actor.act_as_organizations
    if own and not (wanted and set(wanted) <= set(own)):
        raise Forbidden("It would act for more organizations than you may")
    known = organizations.known_ids(work.session, wanted)
    for one in wanted:
        if one not in known:
            raise Invalid(f"No such organization: {one[:100]!r}", field=FIELD)
    return wanted


def require_holder(work: Transaction) -> None:
    """Nobody changes the list of a right that they do not hold themselves. Raises Forbidden."""
    if ACT_AS_ORGANIZATION not in work.actor.scopes:
        raise Forbidden(f"This needs the scope {ACT_AS_ORGANIZATION}")
