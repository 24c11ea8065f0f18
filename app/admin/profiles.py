"""Which presentation profile holds at an API: its resource's, else its organization's (C-1)."""

from __future__ import annotations

from dataclasses import dataclass

from app.admin.desk import Desk
from app.admin.rights import require
from app.builtin import INTROSPECT
from app.records import Actor, Organization

RESOURCE, ORGANIZATION = "resource", "organization"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A profile, and who has chosen it: the ``resource`` or the ``organization``."""

    profile: str
    source: str


def chosen(desk: Desk, actor: Actor, resource: str | None = None) -> Chosen:
    """Of the asker's own API with this identifier; of one that is not declared, its organization's.
    Raises Forbidden.
    """
    require(actor, INTROSPECT)
    return of_resource(desk.directory.organization(actor.organization_id), resource)


def of_resource(organization: Organization, resource: str | None) -> Chosen:
    """The same, for an organization that is known."""
    for one in organization.resources:
        if one.identifier == resource and one.profile is not None:
            return Chosen(one.profile, RESOURCE)
    return Chosen(organization.profile, ORGANIZATION)
