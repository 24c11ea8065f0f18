"""Clients: register, change, disable, remove (RFC 6749 §2). Their secrets: ``client_secrets``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.admin import acting, client_secrets, fields, rows
from app.admin.changes import UNSET, Unset, named
from app.admin.client_keys import METHOD, read_keys
from app.admin.desk import SECRET_METHODS, Desk
from app.admin.grants import chosen_grant, require_grantable
from app.admin.pages import DEFAULT_LIMIT, Page, page_of, read_cursor, read_limit
from app.admin.rights import default_environment, reach, require, require_environment
from app.builtin import ACT_AS_ORGANIZATION, CLIENTS_READ, CLIENTS_WRITE
from app.errors import Invalid, NotFound
from app.ids import new_id
from app.records import ACTIVE, DISABLED, Actor, Organization
from app.storage import audit, clients, organizations, statuses
from app.storage.models import ClientRow
from app.storage.store import Transaction
from keyturn.scope import Grant

MIN_TOKEN_TTL = 10
STATUSES = (ACTIVE, DISABLED)
MAX_AUDIENCES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClient:
    """What is said of a new client: ``scopes`` or ``preset``."""

    name: str
    description: str = ""
    organization_id: str | None = None
    environment: str | None = None
    """None: the actor's own, else the organization's first."""
    scopes: Sequence[str] | None = None
    preset: str | None = None
    audiences: Sequence[str] = ()
    """Resources it may name; none: every resource of its organization."""
    token_endpoint_auth_method: str = SECRET_METHODS[0]
    jwks: Mapping[str, Any] | None = None
    """Its public keys, or in ``jwks_uri`` where they are: of a client that signs."""
    jwks_uri: str | None = None
    token_ttl: int | None = None
    """Seconds; None: the installation's default."""
    secret_expires_at: datetime | None = None
    act_as_organizations: Sequence[str] = ()
    """Whom a service credential may act for; none: every organization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientChanges:
    """What is changed of a client. Its environment is for life."""

    name: str | Unset = UNSET
    description: str | Unset = UNSET
    scopes: Sequence[str] | Unset | None = UNSET
    preset: str | Unset | None = UNSET
    audiences: Sequence[str] | Unset = UNSET
    token_endpoint_auth_method: str | Unset = UNSET
    jwks: Mapping[str, Any] | Unset | None = UNSET
    jwks_uri: str | Unset | None = UNSET
    token_ttl: int | Unset | None = UNSET
    act_as_organizations: Sequence[str] | Unset = UNSET
    status: str | Unset = UNSET
    """``active`` or ``disabled``: whether it gets tokens."""


@dataclass(frozen=True, slots=True)
class ClientView:
    """A client as administrators see it (CONTRACT §6)."""

    client_id: str
    name: str
    description: str
    organization_id: str
    environment: str
    scopes: tuple[str, ...]
    preset: str | None
    audiences: tuple[str, ...]
    token_endpoint_auth_method: str
    jwks: Mapping[str, Any] | None
    jwks_uri: str | None
    token_ttl: int | None
    act_as_organizations: tuple[str, ...]
    status: str
    created_at: datetime
    created_by: str | None
    updated_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreatedClient:
    """A new client, and its first secret: shown here and never again."""

    client: ClientView
    client_secret: str | None = field(default=None, repr=False)
    client_secret_id: str | None = None


def create(desk: Desk, actor: Actor, new: NewClient) -> CreatedClient:
    """Register a client. Raises Forbidden, Invalid, NotFound."""
    require(actor, CLIENTS_WRITE)
    organization_id = reach(actor, new.organization_id, write=True)
    with desk.store.transaction(actor) as work:
        organization = rows.organization(work, organization_id)
        grant = chosen_grant(work, organization, new.scopes, new.preset)
        flat = require_grantable(actor, organization, grant)
        environment = new.environment or default_environment(actor, organization)
        fields.one_of(environment, organization.environments, "environment")
        require_environment(actor, environment)
        row = ClientRow(
            client_id=new_id("client"),
            organization_id=organization_id,
            name=fields.name(new.name),
            description=fields.description(new.description),
            environment=environment,
            scopes=list(grant),
            preset=new.preset,
            audiences=_audiences(desk, organization, new.audiences),
            grant_types=["client_credentials"],
            token_endpoint_auth_method=_auth_method(desk, new.token_endpoint_auth_method),
            **read_keys(new.token_endpoint_auth_method, new.jwks, new.jwks_uri),
            token_ttl=_token_ttl(desk, new.token_ttl),
            act_as_organizations=acting.read_allowed(work, flat, new.act_as_organizations) or None,
            status=ACTIVE,
            created_at=work.now,
            created_by=actor.id,
            updated_at=work.now,
        )
        work.session.add(row)
        work.session.flush()
        statuses.allocate(
            work,
            statuses.CLIENT,
            row.client_id,
            owner_id=row.client_id,
            organization_id=organization_id,
        )
        secret = None
        if row.token_endpoint_auth_method in SECRET_METHODS:
            expires_at = fields.expiry(new.secret_expires_at, None, work.now)
            secret = client_secrets.new_secret(desk, work, organization, row, expires_at, note="")
        work.record(
            "client.created",
            "client",
            row.client_id,
            organization_id=organization_id,
            name=row.name,
            scopes=row.scopes,
            environment=environment,
        )
        work.changed("client", row.client_id)
        if secret is None:
            return CreatedClient(_view(row))
        return CreatedClient(_view(row), secret.client_secret, secret.id)


def list_page(
    desk: Desk,
    actor: Actor,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
    status: str | None = None,
    environment: str | None = None,
    search: str | None = None,
) -> Page[ClientView]:
    """The organization's clients, the youngest first; ``search`` is how a name begins, or an id.

    Raises Forbidden, Invalid, NotFound.
    """
    require(actor, CLIENTS_READ)
    organization_id = reach(actor, organization_id, write=False)
    limit = read_limit(limit)
    if status is not None:
        fields.one_of(status, STATUSES, "status")
    if environment is not None:
        fields.note(environment, "environment", 32)
    fields.searched(search, "search")
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
        found = clients.page(
            session,
            organization_id,
            before=read_cursor(cursor),
            limit=limit + 1,
            status=status,
            environment=environment,
            search=search,
        )
        return page_of(found, limit, lambda row: row.client_id, _view)


def show(
    desk: Desk, actor: Actor, client_id: str, *, organization_id: str | None = None
) -> ClientView:
    """One client. Raises Forbidden, NotFound."""
    require(actor, CLIENTS_READ)
    organization_id = reach(actor, organization_id, write=False)
    with desk.store.reading() as session:
        row = clients.get(session, organization_id, fields.object_id(client_id, "client"))
        if row is None:
            raise NotFound("client")
        return _view(row)


def update(
    desk: Desk,
    actor: Actor,
    client_id: str,
    changes: ClientChanges,
    *,
    organization_id: str | None = None,
) -> ClientView:
    """Change, disable or enable a client. Raises Forbidden, Invalid, NotFound."""
    require(actor, CLIENTS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        organization = rows.organization(work, organization_id)
        row = rows.client_row(work, organization_id, client_id)
        values = _checked(desk, work, organization, row, named(changes))
        status = values.pop("status", row.status)
        changed = rows.put(row, values)
        if changed:
            _touched(work, row, "client.updated", changed=changed, scopes=row.scopes)
        if status != row.status:
            row.status = status
            _touched(work, row, "client.enabled" if status == ACTIVE else "client.disabled")
        return _view(row)


def _checked(
    desk: Desk,
    work: Transaction,
    organization: Organization,
    row: ClientRow,
    values: dict[str, Any],
) -> dict[str, Any]:
    if "name" in values:
        values["name"] = fields.name(values["name"])
    if "description" in values:
        values["description"] = fields.description(values["description"])
    if "audiences" in values:
        values["audiences"] = _audiences(desk, organization, values["audiences"])
    if "token_endpoint_auth_method" in values:
        _auth_method(desk, values["token_endpoint_auth_method"])
    values |= _keys(row, values)
    if "token_ttl" in values:
        _token_ttl(desk, values["token_ttl"])
    if "status" in values:
        fields.one_of(values["status"], STATUSES, "status")
    if "scopes" in values or "preset" in values:
        preset = values.get("preset")
        grant = chosen_grant(work, organization, values.get("scopes"), preset)
        require_grantable(work.actor, organization, grant, already=Grant.of(row.scopes))
        values |= {"scopes": list(grant), "preset": preset}
    if "act_as_organizations" in values:
        acting.require_holder(work)
    held = organization.catalogue.expand(Grant.of(values.get("scopes", row.scopes)))
    if "act_as_organizations" in values or ("scopes" in values and ACT_AS_ORGANIZATION in held):
        wanted = values.get("act_as_organizations", row.act_as_organizations or ())
        values["act_as_organizations"] = acting.read_allowed(work, held, wanted) or None
    return values


def _keys(row: ClientRow, values: dict[str, Any]) -> dict[str, Any]:
    """The keys that follow from what is changed: one of the two puts the other away, and another
    method both."""
    method = values.get("token_endpoint_auth_method", row.token_endpoint_auth_method)
    stated: dict[str, Any] = {name: values[name] for name in ("jwks", "jwks_uri") if name in values}
    if not stated and (method == METHOD) == (row.token_endpoint_auth_method == METHOD):
        return {}
    if method == METHOD and not stated:
        stated = {"jwks": row.jwks, "jwks_uri": row.jwks_uri}
    return read_keys(method, stated.get("jwks"), stated.get("jwks_uri"))


def disable(
    desk: Desk, actor: Actor, client_id: str, *, organization_id: str | None = None
) -> ClientView:
    """It gets no more tokens until it is enabled. Idempotent. Raises Forbidden, NotFound."""
    changes = ClientChanges(status=DISABLED)
    return update(desk, actor, client_id, changes, organization_id=organization_id)


def enable(
    desk: Desk, actor: Actor, client_id: str, *, organization_id: str | None = None
) -> ClientView:
    """Undo ``disable``. Idempotent. Raises Forbidden, NotFound."""
    changes = ClientChanges(status=ACTIVE)
    return update(desk, actor, client_id, changes, organization_id=organization_id)


def delete(desk: Desk, actor: Actor, client_id: str, *, organization_id: str | None = None) -> None:
    """Remove a client with its secrets; its events stay. Idempotent. Raises Forbidden, NotFound."""
    require(actor, CLIENTS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    client_id = fields.object_id(client_id, "client")
    with desk.store.transaction(actor) as work:
        if audit.happened(work.session, organization_id, "client.deleted", client_id):
            return
        row = rows.client_row(work, organization_id, client_id)
        work.session.delete(row)
        work.record(
            "client.deleted", "client", client_id, organization_id=organization_id, name=row.name
        )
        work.changed("client", client_id)


def _touched(work: Transaction, row: ClientRow, event: str, **details: Any) -> None:
    row.updated_at = work.now
    work.record(event, "client", row.client_id, organization_id=row.organization_id, **details)
    work.changed("client", row.client_id)


def _audiences(desk: Desk, organization: Organization, wanted: Sequence[str]) -> list[str]:
    kept = fields.distinct(wanted, "audiences", MAX_AUDIENCES)
    known = {resource.identifier for resource in organization.resources}
    for audience in kept:
        if audience not in known and audience != desk.settings.audience:
            raise Invalid(f"No such resource: {audience[:100]!r}", field="audiences")
    return kept


def _auth_method(desk: Desk, method: str) -> str:
    return fields.one_of(method, desk.auth_methods, "token_endpoint_auth_method")


def _token_ttl(desk: Desk, seconds: int | None) -> int | None:
    longest = int(desk.settings.max_token_ttl.total_seconds())
    return None if seconds is None else fields.number(seconds, "token_ttl", MIN_TOKEN_TTL, longest)


def _view(row: ClientRow) -> ClientView:
    allowed = tuple(row.act_as_organizations or ())
    return rows.view_of(ClientView, row, act_as_organizations=allowed)
