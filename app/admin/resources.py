"""Resources: the APIs of an organization, each an audience with the scopes it owns (RFC 8707)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.admin import fields, rows
from app.admin.changes import UNSET, Unset, named
from app.admin.desk import Desk
from app.admin.grants import known_grant
from app.admin.organizations import PROFILES
from app.admin.pages import DEFAULT_LIMIT, Page, page_of, read_cursor, read_limit
from app.admin.rights import reach, require
from app.builtin import SCOPES_READ, SCOPES_WRITE
from app.errors import Conflict, Invalid, NotFound
from app.ids import new_id
from app.records import Actor, Organization
from app.storage import audit, catalogue, organizations
from app.storage.models import ResourceRow
from app.storage.store import Transaction

MAX_RESOURCES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResource:
    """What is said of a new resource."""

    identifier: str
    """An absolute URI without fragment (RFC 8707 §2); the ``aud`` of its tokens."""
    name: str = ""
    scopes: Sequence[str] = ()
    """Scopes it owns, wildcards allowed: a token that has one is meant for it."""
    environments: Sequence[str] = ()
    """Environments whose tokens it takes; none named: all."""
    profile: str | None = None
    """How errors read there; None: as its organization has it."""
    organization_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChanges:
    """What is changed of a resource. Its identifier is for life: tokens carry it."""

    name: str | Unset = UNSET
    scopes: Sequence[str] | Unset = UNSET
    environments: Sequence[str] | Unset = UNSET
    profile: str | Unset | None = UNSET


@dataclass(frozen=True, slots=True)
class ResourceView:
    """A resource as administrators see it."""

    id: str
    organization_id: str
    identifier: str
    name: str
    scopes: tuple[str, ...]
    environments: tuple[str, ...]
    profile: str | None
    created_at: datetime
    updated_at: datetime


def create(desk: Desk, actor: Actor, new: NewResource) -> ResourceView:
    """Raises Forbidden, Invalid, NotFound, Conflict."""
    require(actor, SCOPES_WRITE)
    organization_id = reach(actor, new.organization_id, write=True)
    with desk.store.transaction(actor) as work:
        organization = rows.organization(work, organization_id, "update")
        identifier = fields.identifier(new.identifier)
        if catalogue.resource_by_identifier(work.session, organization_id, identifier) is not None:
            raise Conflict("A resource of this identifier exists", field="identifier")
        if catalogue.count_resources(work.session, organization_id) >= MAX_RESOURCES:
            raise Conflict(f"An organization has at most {MAX_RESOURCES} resources")
        row = ResourceRow(
            id=new_id("res"),
            organization_id=organization_id,
            identifier=identifier,
            name=fields.name(new.name or identifier[: fields.MAX_NAME]),
            scopes=list(known_grant(organization, new.scopes)),
            environments=_environments(organization, new.environments),
            profile=_profile(new.profile),
            created_at=work.now,
            updated_at=work.now,
        )
        work.session.add(row)
        _record(work, "resource.created", row, identifier=identifier, scopes=row.scopes)
        return rows.view_of(ResourceView, row)


def list_page(
    desk: Desk,
    actor: Actor,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
) -> Page[ResourceView]:
    """The organization's resources, the youngest first. Raises Forbidden, Invalid, NotFound."""
    require(actor, SCOPES_READ)
    organization_id = reach(actor, organization_id, write=False)
    limit = read_limit(limit)
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
        found = catalogue.resources_page(
            session, organization_id, before=read_cursor(cursor), limit=limit + 1
        )
        return page_of(
            found, limit, lambda row: row.id, lambda row: rows.view_of(ResourceView, row)
        )


def show(
    desk: Desk, actor: Actor, resource_id: str, *, organization_id: str | None = None
) -> ResourceView:
    """One resource. Raises Forbidden, NotFound."""
    require(actor, SCOPES_READ)
    organization_id = reach(actor, organization_id, write=False)
    with desk.store.reading() as session:
        row = catalogue.resource(
            session, organization_id, fields.object_id(resource_id, "resource")
        )
        if row is None:
            raise NotFound("resource")
        return rows.view_of(ResourceView, row)


def update(
    desk: Desk,
    actor: Actor,
    resource_id: str,
    changes: ResourceChanges,
    *,
    organization_id: str | None = None,
) -> ResourceView:
    """Raises Forbidden, Invalid, NotFound."""
    require(actor, SCOPES_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    resource_id = fields.object_id(resource_id, "resource")
    with desk.store.transaction(actor) as work:
        organization = rows.organization(work, organization_id, "update")
        row = catalogue.resource(work.session, organization_id, resource_id)
        if row is None:
            raise NotFound("resource")
        values = named(changes)
        if "name" in values:
            values["name"] = fields.name(values["name"])
        if "scopes" in values:
            values["scopes"] = list(known_grant(organization, values["scopes"]))
        if "environments" in values:
            values["environments"] = _environments(organization, values["environments"])
        if "profile" in values:
            values["profile"] = _profile(values["profile"])
        changed = rows.put(row, values)
        if changed:
            row.updated_at = work.now
            _record(work, "resource.updated", row, changed=changed, scopes=row.scopes)
        return rows.view_of(ResourceView, row)


def delete(
    desk: Desk, actor: Actor, resource_id: str, *, organization_id: str | None = None
) -> None:
    """Remove a resource that no client names. Idempotent. Raises Forbidden, NotFound, Conflict."""
    require(actor, SCOPES_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    resource_id = fields.object_id(resource_id, "resource")
    with desk.store.transaction(actor) as work:
        rows.organization_row(work, organization_id, "update")
        row = catalogue.resource(work.session, organization_id, resource_id)
        if row is None:
            if audit.happened(work.session, organization_id, "resource.deleted", resource_id):
                return
            raise NotFound("resource")
        user = catalogue.audience_user(work.session, organization_id, row.identifier)
        if user is not None:
            raise Conflict(f"Still an audience of client {user}")
        work.session.delete(row)
        _record(work, "resource.deleted", row, identifier=row.identifier)


def _record(work: Transaction, event: str, row: ResourceRow, **details: Any) -> None:
    work.record(event, "resource", row.id, organization_id=row.organization_id, **details)
    work.changed("organization", row.organization_id)


def _environments(organization: Organization, wanted: Sequence[str]) -> list[str]:
    kept = fields.distinct(wanted, "environments", len(organization.environments))
    for name in kept:
        if name not in organization.environments:
            raise Invalid(f"No such environment: {name[:40]!r}", field="environments")
    return kept


def _profile(name: str | None) -> str | None:
    return None if name is None else fields.one_of(name, PROFILES, "profile")
