"""The life of an API key: created, changed, disabled, enabled (CONTRACT §5).

How it is followed by another one is in ``succession``, how it ends in ``endings``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from app.admin import fields, rows
from app.admin.acting import read_allowed, require_holder
from app.admin.changes import named
from app.admin.desk import Desk
from app.admin.grants import chosen_grant, require_grantable
from app.admin.pages import DEFAULT_LIMIT, Page, page_of, read_cursor, read_limit
from app.admin.rate_limits import read_rate_limits
from app.admin.restrictions import read_domains, read_networks
from app.admin.rights import default_environment, reach, require, require_environment
from app.apikeys.endings import MAX_MAKER
from app.apikeys.keys import locked, new_key, record
from app.apikeys.policies import DUE, LONGEST, OVERDUE, ROTATIONS, KeyPolicy
from app.apikeys.rules import (
    BINDINGS,
    MISSING_ORIGIN,
    default_missing_origin,
    own_scopes,
    require_environment_said,
    require_own_limits,
    require_publishable,
    require_room,
    require_service_keys,
    within_own_life,
)
from app.apikeys.values import (
    KINDS,
    STATUSES,
    ApiKeyChanges,
    ApiKeyFilter,
    ApiKeyView,
    CreatedApiKey,
    NewApiKey,
    created,
    status_at,
    view,
)
from app.builtin import KEYS_READ, KEYS_WRITE
from app.errors import Conflict, NotFound
from app.records import ACTIVE, DISABLED, Actor, Organization
from app.storage import api_keys, organizations
from app.storage.models import ApiKeyRow, OrganizationRow
from app.storage.store import Transaction
from keyturn.scope import ScopeSet

EVERY_KEY = ApiKeyFilter()
EARLIEST = datetime.fromtimestamp(0, UTC)
NEVER = EARLIEST, EARLIEST


def create(desk: Desk, actor: Actor, new: NewApiKey) -> CreatedApiKey:
    """Make a key. Raises Forbidden, Invalid, NotFound, PlanLimit."""
    require(actor, KEYS_WRITE)
    organization_id = reach(actor, new.organization_id, write=True)
    with desk.store.transaction(actor) as work:
        # Locked for the count: two that create at once would both find room for one more.
        owner = rows.organization_row(work, organization_id, "update")
        values = read_new(work, owner, organizations.record(work.session, owner), new)
        require_room(work, owner)
        row, key = new_key(desk, work, owner, values)
        record(work, row, "api_key.created", name=row.name, scopes=row.scopes)
        return created(owner, row, key, work.now)


def read_new(
    work: Transaction, owner: OrganizationRow, organization: Organization, new: NewApiKey
) -> dict[str, Any]:
    """What is said of a new key, checked: its columns. Raises Forbidden, Invalid, PlanLimit."""
    actor = work.actor
    scopes = own_scopes(actor, new.preset) if new.scopes is None else new.scopes
    grant = chosen_grant(work, organization, scopes, new.preset)
    flat = require_grantable(actor, organization, grant)
    require_environment_said(organization, new.environment)
    environment = new.environment or default_environment(actor, organization)
    fields.one_of(environment, organization.environments, "environment")
    require_environment(actor, environment)
    expires_at = fields.expiry(new.expires_at, new.expires_in, work.now)
    values: dict[str, Any] = {
        "name": fields.name(new.name),
        "description": fields.description(new.description),
        "environment": environment,
        "kind": fields.one_of(new.kind, KINDS, "kind"),
        "scopes": list(flat),
        "preset": new.preset,
        "allowed_ips": read_networks(new.allowed_ips),
        "allowed_domains": read_domains(new.allowed_domains),
        "missing_origin": fields.one_of(
            new.missing_origin or default_missing_origin(owner, new.kind),
            MISSING_ORIGIN,
            "missing_origin",
        ),
        "browser_origin": _browser_origin(new.browser_origin),
        "rate_limits": read_rate_limits(new.rate_limits),
        "act_as_organizations": read_allowed(work, flat, new.act_as_organizations) or None,
        "expires_at": within_own_life(work, expires_at),
        "created_by": actor.id,
    }
    require_publishable(organization, values["kind"], flat, values)
    require_service_keys(organization, flat)
    require_own_limits(work, owner, values["rate_limits"])
    return values


def _browser_origin(said: str | None) -> str | None:
    return None if said is None else fields.one_of(said, MISSING_ORIGIN, "browser_origin")


def list_page(
    desk: Desk,
    actor: Actor,
    wanted: ApiKeyFilter = EVERY_KEY,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
) -> Page[ApiKeyView]:
    """The organization's keys, the youngest first; by ``rotation`` the report of what its policy
    asks for. Raises Forbidden, Invalid, NotFound.
    """
    require(actor, KEYS_READ)
    organization_id = reach(actor, organization_id, write=False)
    limit = read_limit(limit)
    _check_filter(wanted)
    now = desk.clock()
    with desk.store.reading() as session:
        owner = organizations.existing(session, organization_id)
        ageing = _ageing(KeyPolicy.of(owner), wanted.rotation, now)
        if ageing == NEVER:
            return Page(())
        found = api_keys.page(
            session,
            organization_id,
            now=now,
            before=read_cursor(cursor),
            limit=limit + 1,
            status=wanted.status,
            environment=wanted.environment,
            kind=wanted.kind,
            created_by=wanted.created_by,
            search=wanted.search,
            unused_since=_unused_since(wanted.inactive_days, now),
            ageing=ageing,
        )
        return page_of(found, limit, lambda row: row.id, lambda row: view(owner, row, now))


def _check_filter(wanted: ApiKeyFilter) -> None:
    for name, choices in (("status", STATUSES), ("kind", KINDS), ("rotation", ROTATIONS)):
        if getattr(wanted, name) is not None:
            fields.one_of(getattr(wanted, name), choices, name)
    for name, longest in (("environment", 32), ("created_by", MAX_MAKER)):
        fields.note(getattr(wanted, name) or "", name, longest)
    fields.searched(wanted.search, "search")
    if wanted.inactive_days is not None:
        fields.number(wanted.inactive_days, "inactive_days", 1, LONGEST)


def _unused_since(inactive_days: int | None, now: datetime) -> datetime | None:
    return None if inactive_days is None else now - timedelta(days=inactive_days)


def _ageing(
    policy: KeyPolicy, standing: str | None, now: datetime
) -> tuple[datetime, datetime] | None:
    """When the keys were made whose rotation stands so; without a policy none were."""
    if standing is None:
        return None
    until, overdue = policy.made(standing, now), policy.made(OVERDUE, now)
    if until is None or overdue is None:
        return NEVER
    return (overdue if standing == DUE else EARLIEST), until


def show(
    desk: Desk, actor: Actor, key_id: str, *, organization_id: str | None = None
) -> ApiKeyView:
    """One key; that somebody looked is remembered (S2-8). Raises Forbidden, NotFound."""
    require(actor, KEYS_READ)
    organization_id = reach(actor, organization_id, write=False)
    found = seen(desk, organization_id, fields.object_id(key_id, "API key"))
    desk.journal.viewed(actor, "api_key", found.id, organization_id)
    return found


def seen(desk: Desk, organization_id: str, key_id: str) -> ApiKeyView:
    """One key, for whoever has proven to know or to own it. Raises NotFound."""
    with desk.store.reading() as session:
        row = api_keys.get(session, organization_id, key_id)
        if row is None:
            raise NotFound("API key")
        return view(organizations.existing(session, organization_id), row, desk.clock())


def update(
    desk: Desk,
    actor: Actor,
    key_id: str,
    changes: ApiKeyChanges,
    *,
    organization_id: str | None = None,
) -> ApiKeyView:
    """Change what may be changed. Raises Forbidden, Invalid, NotFound, Conflict, PlanLimit."""
    require(actor, KEYS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        values = _checked(named(changes))
        status = values.pop("status", None)
        # Counted beside nobody: a key that is enabled counts against the plan again.
        owner = rows.organization_row(work, organization_id, "update" if status else "share")
        row = locked(work, organization_id, key_id)
        if status_at(row, work.now) not in (ACTIVE, DISABLED):
            raise Conflict(f"The key is {status_at(row, work.now)}")
        organization = organizations.record(work.session, owner)
        bound = {name: values.get(name, getattr(row, name)) for name in BINDINGS}
        require_publishable(organization, row.kind, ScopeSet.of(row.scopes), bound)
        if values.get("rate_limits", row.rate_limits) != row.rate_limits:
            require_own_limits(work, owner, values["rate_limits"])
        if "act_as_organizations" in values:
            require_holder(work)
            wanted = values["act_as_organizations"]
            allowed = read_allowed(work, ScopeSet.of(row.scopes), wanted)
            values["act_as_organizations"] = allowed or None
        changed = rows.put(row, values)
        if changed:
            row.updated_at = work.now
            record(work, row, "api_key.updated", changed=changed)
        if status not in (None, row.status):
            _stand(work, owner, row, status)
        return view(owner, row, work.now)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    checks: dict[str, Callable[[Any], Any]] = {
        "name": fields.name,
        "description": fields.description,
        "allowed_ips": read_networks,
        "allowed_domains": read_domains,
        "missing_origin": lambda said: fields.one_of(said, MISSING_ORIGIN, "missing_origin"),
        "browser_origin": _browser_origin,
        "rate_limits": read_rate_limits,
        "act_as_organizations": list,
        "status": lambda status: fields.one_of(status, (ACTIVE, DISABLED), "status"),
    }
    return {name: checks[name](value) for name, value in values.items()}


def disable(
    desk: Desk, actor: Actor, key_id: str, *, organization_id: str | None = None
) -> ApiKeyView:
    """It opens nothing until it is enabled. Idempotent. Raises Forbidden, NotFound, Conflict."""
    changes = ApiKeyChanges(status=DISABLED)
    return update(desk, actor, key_id, changes, organization_id=organization_id)


def enable(
    desk: Desk, actor: Actor, key_id: str, *, organization_id: str | None = None
) -> ApiKeyView:
    """Undo ``disable``. Idempotent. Raises Forbidden, NotFound, Conflict, PlanLimit."""
    changes = ApiKeyChanges(status=ACTIVE)
    return update(desk, actor, key_id, changes, organization_id=organization_id)


def _stand(work: Transaction, owner: OrganizationRow, row: ApiKeyRow, status: str) -> None:
    if status == ACTIVE and row.rotated_to is None:
        require_room(work, owner)
    row.status = status
    row.updated_at = work.now
    record(work, row, f"api_key.{'enabled' if status == ACTIVE else 'disabled'}")
