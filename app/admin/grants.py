"""Granting: known scopes only, and nobody gives what they do not hold (CONTRACT §3)."""

from __future__ import annotations

from collections.abc import Iterable

from app.admin.rights import administers_all_of
from app.errors import Forbidden, Invalid
from app.records import Actor, Organization
from app.storage import catalogue
from app.storage.store import Transaction
from keyturn.errors import InvalidScope
from keyturn.scope import MAX_SCOPE_LENGTH, MAX_SCOPE_TOKENS, Grant, ScopeSet

NOTHING = Grant()


def known_grant(organization: Organization, scopes: Iterable[str], field: str = "scopes") -> Grant:
    """Read a grant whose every token covers something declared. Raises Invalid."""
    try:
        grant = Grant.of(scopes)
        organization.catalogue.require_known(grant)
    except InvalidScope as error:
        raise Invalid(error.description, field=field, detail=error.detail) from None
    return grant


def chosen_grant(
    work: Transaction, organization: Organization, scopes: Iterable[str] | None, preset: str | None
) -> Grant:
    """What is asked for, by scopes or by preset. Raises Invalid: both, neither, unknown."""
    if scopes is not None and preset is not None:
        raise Invalid("Give either scopes or a preset, not both", field="preset")
    if preset is not None:
        row = catalogue.preset(work.session, organization.id, preset)
        if row is None:
            raise Invalid(f"No such preset: {preset[:64]}", field="preset")
        return Grant.of(row.scopes)
    if scopes is None:
        raise Invalid("Give scopes or a preset", field="scopes")
    return known_grant(organization, scopes)


def require_grantable(
    actor: Actor, organization: Organization, grant: Grant, *, already: Grant = NOTHING
) -> ScopeSet:
    """The flat scopes of a grant that this actor may give. Raises Forbidden and Invalid.

    Every one must be held by the actor, or the actor administers all of the organization.
    ``already`` is what the receiver holds as it is: to leave it there gives nothing.
    """
    flat = organization.catalogue.expand(grant)
    if len(flat) > MAX_SCOPE_TOKENS or len(str(flat)) > MAX_SCOPE_LENGTH:
        raise Invalid("This covers more scopes than fit into a token", field="scopes")
    if administers_all_of(actor, organization):
        return flat
    given = organization.catalogue.expand(Grant(grant.tokens - already.tokens))
    missing = given.without(actor.scopes)
    if missing:
        raise Forbidden(f"You cannot give what you do not hold: {_some(missing)}", field="scopes")
    return flat


def _some(scopes: ScopeSet, most: int = 8) -> str:
    names = list(scopes)
    return " ".join(names[:most]) + (f" and {len(names) - most} more" if names[most:] else "")
