"""Presets: named grants. Who uses one gets what it holds then; later edits widen nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.admin import fields, rows
from app.admin.changes import UNSET, Unset, named
from app.admin.desk import Desk
from app.admin.grants import known_grant
from app.admin.pages import DEFAULT_LIMIT, Page, page_in_memory, read_limit
from app.admin.rights import reach, require
from app.builtin import SCOPES_READ, SCOPES_WRITE
from app.errors import Conflict, Invalid, NotFound
from app.records import Actor, Organization
from app.storage import audit, catalogue, organizations
from app.storage.models import PresetRow
from app.storage.store import Transaction
from keyturn.scope import Grant

MAX_PRESETS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPreset:
    """What is said of a new preset."""

    name: str
    scopes: Sequence[str]
    description: str = ""
    organization_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetChanges:
    """What is changed of a preset."""

    description: str | Unset = UNSET
    scopes: Sequence[str] | Unset = UNSET


@dataclass(frozen=True, slots=True)
class PresetView:
    """A preset as administrators see it; its scopes as granted, wildcards kept."""

    name: str
    organization_id: str
    description: str
    scopes: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A scope that a credential has by a preset."""

    scope: str
    description: str
    by: str
    """What of the preset brings it: itself, a wildcard, or what implies it."""
    audiences: tuple[str, ...]
    """Resources that own it."""


def create(desk: Desk, actor: Actor, new: NewPreset) -> PresetView:
    """Raises Forbidden, Invalid, NotFound, Conflict.

    A preset gives nothing to anybody: whoever grants by it must hold what it holds then.
    """
    require(actor, SCOPES_WRITE)
    organization_id = reach(actor, new.organization_id, write=True)
    with desk.store.transaction(actor) as work:
        organization = rows.organization(work, organization_id, "update")
        name = fields.preset_name(new.name)
        known = catalogue.presets(work.session, organization_id)
        if any(row.name == name for row in known):
            raise Conflict("A preset of this name exists", field="name")
        if len(known) >= MAX_PRESETS:
            raise Conflict(f"An organization has at most {MAX_PRESETS} presets")
        row = PresetRow(
            organization_id=organization_id,
            name=name,
            description=fields.description(new.description),
            scopes=_scopes(organization, new.scopes),
            created_at=work.now,
            updated_at=work.now,
        )
        work.session.add(row)
        _record(work, "preset.created", row, scopes=row.scopes)
        return rows.view_of(PresetView, row)


def list_page(
    desk: Desk,
    actor: Actor,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
) -> Page[PresetView]:
    """The organization's presets by name. Raises Forbidden, Invalid, NotFound."""
    require(actor, SCOPES_READ)
    organization_id = reach(actor, organization_id, write=False)
    limit = read_limit(limit)
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
        return page_in_memory(
            catalogue.presets(session, organization_id),
            limit,
            cursor,
            lambda row: row.name,
            lambda row: rows.view_of(PresetView, row),
        )


def show(desk: Desk, actor: Actor, name: str, *, organization_id: str | None = None) -> PresetView:
    """One preset. Raises Forbidden, NotFound."""
    require(actor, SCOPES_READ)
    organization_id = reach(actor, organization_id, write=False)
    with desk.store.reading() as session:
        row = catalogue.preset(session, organization_id, _asked(name))
        if row is None:
            raise NotFound("preset")
        return rows.view_of(PresetView, row)


def opens(
    desk: Desk, actor: Actor, name: str, *, organization_id: str | None = None
) -> tuple[Opened, ...]:
    """What somebody can do who is granted it now. Raises Forbidden, NotFound."""
    require(actor, SCOPES_READ)
    organization_id = reach(actor, organization_id, write=False)
    with desk.store.reading() as session:
        row = catalogue.preset(session, organization_id, _asked(name))
        if row is None:
            raise NotFound("preset")
        owner = organizations.record(session, organizations.existing(session, organization_id))
    brings: dict[str, str] = {}
    for token in row.scopes:
        for scope in owner.catalogue.expand(Grant.of({token})):
            brings.setdefault(scope, token)
    brings |= {token: token for token in row.scopes if token in brings}
    return tuple(
        Opened(
            scope,
            owner.catalogue.scopes[scope].description,
            brings[scope],
            tuple(one.identifier for one in owner.resources if one.scopes.covers(scope)),
        )
        for scope in sorted(brings)
    )


def update(
    desk: Desk,
    actor: Actor,
    name: str,
    changes: PresetChanges,
    *,
    organization_id: str | None = None,
) -> PresetView:
    """Raises Forbidden, Invalid, NotFound."""
    require(actor, SCOPES_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        organization = rows.organization(work, organization_id, "update")
        row = catalogue.preset(work.session, organization_id, _asked(name))
        if row is None:
            raise NotFound("preset")
        values = named(changes)
        if "description" in values:
            values["description"] = fields.description(values["description"])
        if "scopes" in values:
            values["scopes"] = _scopes(organization, values["scopes"])
        changed = rows.put(row, values)
        if changed:
            row.updated_at = work.now
            _record(work, "preset.updated", row, changed=changed, scopes=row.scopes)
        return rows.view_of(PresetView, row)


def delete(desk: Desk, actor: Actor, name: str, *, organization_id: str | None = None) -> None:
    """What was granted by it stays granted. Idempotent. Raises Forbidden, NotFound."""
    require(actor, SCOPES_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    name = _asked(name)
    with desk.store.transaction(actor) as work:
        rows.organization_row(work, organization_id, "update")
        row = catalogue.preset(work.session, organization_id, name)
        if row is None:
            if audit.happened(work.session, organization_id, "preset.deleted", name):
                return
            raise NotFound("preset")
        work.session.delete(row)
        _record(work, "preset.deleted", row)


def _record(work: Transaction, event: str, row: PresetRow, **details: Any) -> None:
    work.record(event, "preset", row.name, organization_id=row.organization_id, **details)
    work.changed("organization", row.organization_id)


def _asked(name: str) -> str:
    try:
        return fields.preset_name(name)
    except Invalid:
        raise NotFound("preset") from None


def _scopes(organization: Organization, wanted: Sequence[str]) -> list[str]:
    grant = known_grant(organization, wanted)
    if not grant:
        raise Invalid("scopes must have at least one entry", field="scopes")
    return list(grant)
