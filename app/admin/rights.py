"""Who may do what, and whose rights reach how far (CONTRACT §3, §6)."""

from __future__ import annotations

from app.builtin import NAMESPACE, ORGANIZATIONS_READ, ORGANIZATIONS_WRITE, administration
from app.errors import Forbidden, NotFound
from app.records import Actor, Organization

COMMAND_LINE = "operator"
"""The actor type of the command line: whoever runs it has the database and the keys anyway."""

LIVE = "live"


def require(actor: Actor, scope: str) -> None:
    """Raises Forbidden unless the actor holds this scope of administration."""
    if scope not in actor.scopes:
        raise Forbidden(f"This needs the scope {scope}")


def require_operator(actor: Actor, scope: str) -> None:
    """The same, for what only the operator organization's credentials may do."""
    if not actor.is_operator or scope not in actor.scopes:
        raise Forbidden(f"This needs the scope {scope} of the operator organization")


def require_organization(actor: Actor, organization_id: str) -> None:
    """Whether the actor may look at this organization: the operator's by a scope at any, others at
    their own, when they administer anything in it. Raises Forbidden."""
    if actor.is_operator or organization_id != actor.organization_id:
        require_operator(actor, ORGANIZATIONS_READ)
    else:
        require_any(actor)


def require_any(actor: Actor) -> None:
    """Raises Forbidden unless the actor administers anything."""
    if not any(scope.startswith(NAMESPACE) for scope in actor.scopes):
        raise Forbidden(f"This needs a scope below {NAMESPACE}")


def reach(actor: Actor, organization_id: str | None, *, write: bool) -> str:
    """The organization that is acted upon: one's own, or for the operator the one it names.

    Raises NotFound for anybody else's: that it exists is none of their business.
    """
    if organization_id is None or organization_id == actor.organization_id:
        return actor.organization_id
    needed = ORGANIZATIONS_WRITE if write else ORGANIZATIONS_READ
    if not actor.is_operator or needed not in actor.scopes:
        raise NotFound("organization")
    return organization_id


def require_environment(actor: Actor, environment: str | None) -> None:
    """A credential of ``test`` (or any environment but ``live``) touches only its own (S3-6)."""
    if actor.environment in (None, LIVE) or environment == actor.environment:
        return
    raise Forbidden(f"A credential of {actor.environment} cannot touch what is {environment}")


def default_environment(actor: Actor, organization: Organization) -> str:
    """Where new credentials live when nothing is said: with the actor, else the first one."""
    if actor.environment in organization.environments:
        return actor.environment or organization.environments[0]
    return organization.environments[0]


def administers_all_of(actor: Actor, organization: Organization) -> bool:
    """Whether it holds every scope of administration that this organization can hold."""
    if actor.type == COMMAND_LINE:
        return True
    return actor.scopes.tokens >= administration(operator=organization.is_operator).keys()
