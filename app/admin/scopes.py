"""The scope catalogue of an organization: what exists, and what implies what (CONTRACT §3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.admin import fields, rows
from app.admin.changes import UNSET, Unset, named
from app.admin.desk import Desk
from app.admin.grants import known_grant, require_grantable
from app.admin.pages import DEFAULT_LIMIT, Page, page_in_memory, read_limit
from app.admin.rights import reach, require
from app.builtin import NAMESPACE, SCOPES_READ, SCOPES_WRITE, administration
from app.errors import Conflict, Invalid, NotFound
from app.records import Actor, Organization
from app.storage import audit, catalogue, organizations
from app.storage.models import ScopeRow
from keyturn.errors import InvalidScope
from keyturn.scope import MAX_TOKEN_LENGTH, WILDCARD, Declared, Grant

MAX_SCOPES = 1000
MAX_IMPLIED = 100
MAX_NAMINGS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NewScope:
    """What is said of a new scope."""

    name: str
    description: str = ""
    implies: Sequence[str] = ()
    """Declared scopes that come with it."""
    public: bool = False
    """Whether a publishable key may hold it (C-6)."""
    organization_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeChanges:
    """What is changed of a scope; its name is for life."""

    description: str | Unset = UNSET
    implies: Sequence[str] | Unset = UNSET
    public: bool | Unset = UNSET


@dataclass(frozen=True, slots=True)
class ScopeView:
    """A scope as administrators see it; those of administration are built in."""

    name: str
    description: str
    implies: tuple[str, ...]
    public: bool
    builtin: bool
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Naming:
    """Something that names a scope, which cannot be removed meanwhile."""

    kind: str
    """``client``, ``API key``, ``preset``, ``resource`` or ``scope``."""
    id: str
    name: str

    @property
    def type(self) -> str:
        """The kind as data call it: ``api_key``."""
        return self.kind.lower().replace(" ", "_")


def add(desk: Desk, actor: Actor, new: NewScope) -> ScopeView:
    """Declare a scope. Raises Forbidden, Invalid, NotFound, Conflict.

    What it implies is given to all that will hold it, so the actor must be able to give that.
    """
    require(actor, SCOPES_WRITE)
    organization_id = reach(actor, new.organization_id, write=True)
    with desk.store.transaction(actor) as work:
        organization = rows.organization(work, organization_id, "update")
        name = _name(new.name)
        if catalogue.scope(work.session, organization_id, name) is not None:
            raise Conflict("This scope is declared already", field="name")
        if catalogue.count_scopes(work.session, organization_id) >= MAX_SCOPES:
            raise Conflict(f"An organization declares at most {MAX_SCOPES} scopes")
        implies = _implied(organization, new.implies)
        require_grantable(actor, organization, Grant.of(implies))
        row = ScopeRow(
            organization_id=organization_id,
            name=name,
            description=fields.description(new.description),
            implies=implies,
            public=new.public,
            created_at=work.now,
        )
        work.session.add(row)
        work.record("scope.added", "scope", name, organization_id=organization_id, implies=implies)
        work.changed("organization", organization_id)
        return _view(row)


def list_page(
    desk: Desk,
    actor: Actor,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
    builtin: bool = True,
    search: str | None = None,
) -> Page[ScopeView]:
    """The scopes of an organization by name, those of administration among them; ``search``: whose
    name or description holds this text. Raises Forbidden, Invalid, NotFound.
    """
    require(actor, SCOPES_READ)
    organization_id = reach(actor, organization_id, write=False)
    limit = read_limit(limit)
    fields.searched(search, "search")
    with desk.store.reading() as session:
        operator = organizations.existing(session, organization_id).is_operator
        views = [_view(row) for row in catalogue.scopes(session, organization_id)]
    if builtin:
        views += map(_builtin, administration(operator=operator).values())
    if search is not None:
        views = [view for view in views if _holds(view, search.casefold())]
    return page_in_memory(views, limit, cursor, lambda view: view.name, lambda view: view)


def show(desk: Desk, actor: Actor, name: str, *, organization_id: str | None = None) -> ScopeView:
    """One scope, declared or built in. Raises Forbidden, NotFound."""
    require(actor, SCOPES_READ)
    organization_id = reach(actor, organization_id, write=False)
    with desk.store.reading() as session:
        operator = organizations.existing(session, organization_id).is_operator
        builtin = administration(operator=operator).get(name)
        if builtin is not None:
            return _builtin(builtin)
        row = catalogue.scope(session, organization_id, _asked(name))
        if row is None:
            raise NotFound("scope")
        return _view(row)


def namings(
    desk: Desk, actor: Actor, name: str, *, organization_id: str | None = None
) -> tuple[Naming, ...]:
    """What names this very scope, at most ``MAX_NAMINGS`` of a kind. Raises Forbidden, NotFound."""
    require(actor, SCOPES_READ)
    organization_id = reach(actor, organization_id, write=False)
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
        found = catalogue.namings(session, organization_id, _asked(name), MAX_NAMINGS)
        return tuple(Naming(*one) for one in found)


def update(
    desk: Desk,
    actor: Actor,
    name: str,
    changes: ScopeChanges,
    *,
    organization_id: str | None = None,
) -> ScopeView:
    """Change a declared scope. Raises Forbidden, Invalid, NotFound.

    What it implies from now on is given to all that hold it, so the actor must be able to.
    """
    require(actor, SCOPES_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        organization = rows.organization(work, organization_id, "update")
        row = catalogue.scope(work.session, organization_id, _asked(name))
        if row is None:
            raise NotFound("scope")
        values = named(changes)
        if "description" in values:
            values["description"] = fields.description(values["description"])
        if "implies" in values:
            values["implies"] = _implied(organization, values["implies"])
            require_grantable(
                actor, organization, Grant.of(values["implies"]), already=Grant.of(row.implies)
            )
        changed = rows.put(row, values)
        if changed:
            work.record(
                "scope.updated",
                "scope",
                name,
                organization_id=organization_id,
                changed=changed,
                implies=row.implies,
            )
            work.changed("organization", organization_id)
        return _view(row)


def remove(desk: Desk, actor: Actor, name: str, *, organization_id: str | None = None) -> None:
    """Take back a scope that nothing names. Idempotent. Raises Forbidden, NotFound, Conflict."""
    require(actor, SCOPES_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    name = _asked(name)
    with desk.store.transaction(actor) as work:
        rows.organization_row(work, organization_id, "update")
        row = catalogue.scope(work.session, organization_id, name)
        if row is None:
            if audit.happened(work.session, organization_id, "scope.removed", name):
                return
            raise NotFound("scope")
        for kind, id, _ in catalogue.namings(work.session, organization_id, name, 1):
            raise Conflict(f"Still named by {kind} {id}")
        work.session.delete(row)
        work.record("scope.removed", "scope", name, organization_id=organization_id)
        work.changed("organization", organization_id)


def _asked(name: str) -> str:
    if len(name) > MAX_TOKEN_LENGTH or not name.isascii() or not name.isprintable():
        raise NotFound("scope")
    return name


def _name(name: str) -> str:
    try:
        Grant.of({name})
    except InvalidScope as error:
        raise Invalid(error.description, field="name") from None
    if name.endswith(WILDCARD):
        raise Invalid("A wildcard is granted, not declared", field="name")
    if name.startswith(NAMESPACE) or name + ":" == NAMESPACE:
        raise Invalid(f"Scopes below {NAMESPACE} are built in", field="name")
    if not all(name.split(":")):
        raise Invalid("A segment of the name is empty", field="name")
    return name


def _implied(organization: Organization, names: Sequence[str]) -> list[str]:
    kept = fields.distinct(names, "implies", MAX_IMPLIED)
    for name in kept:
        if name.endswith(WILDCARD) or name.startswith(NAMESPACE):
            raise Invalid(f"Cannot be implied: {name[:100]}", field="implies")
    known_grant(organization, kept, "implies")
    return sorted(kept)


def _holds(view: ScopeView, text: str) -> bool:
    return text in view.name.casefold() or text in view.description.casefold()


def _builtin(declared: Declared) -> ScopeView:
    return ScopeView(declared.name, declared.description, (), False, True, None)


def _view(row: ScopeRow) -> ScopeView:
    return rows.view_of(ScopeView, row, builtin=False)
