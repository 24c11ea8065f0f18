"""A key follows another one: by rotation, with a grace, or at once because it is compromised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.admin import fields, rows
from app.admin.acting import read_allowed
from app.admin.desk import Desk
from app.admin.grants import require_grantable
from app.admin.rights import reach, require
from app.apikeys.endings import read_reason
from app.apikeys.keys import locked, new_key, record
from app.apikeys.rules import default_grace, require_room, require_service_keys, within_own_life
from app.apikeys.values import CreatedApiKey, created, status_at
from app.builtin import KEYS_WRITE
from app.errors import Conflict, Forbidden
from app.records import ACTIVE, DISABLED, REVOKED, ROTATED, Actor
from app.storage import api_keys, organizations
from app.storage.models import ApiKeyRow, OrganizationRow
from app.storage.store import Transaction
from keyturn.scope import Grant

COMPROMISED = "compromised"

_INHERITED = (
    "name",
    "description",
    "environment",
    "kind",
    "scopes",
    "preset",
    "allowed_ips",
    "allowed_domains",
    "missing_origin",
    "browser_origin",
    "rate_limits",
    "act_as_organizations",
    "expires_at",
    "created_by",
)
"""What a successor takes over (S2-52): everything that was said of its predecessor."""


def rotate(
    desk: Desk,
    actor: Actor,
    key_id: str,
    *,
    grace_seconds: int | None = None,
    reason: str = "",
    organization_id: str | None = None,
) -> CreatedApiKey:
    """Make a successor with the same settings and the same expiry; the key itself lives on for the
    grace and is ``rotated`` then (S2-50..58).

    Without a word about the grace it is what the organization's profile says. Works at the plan's
    cap. Raises Forbidden, Invalid, NotFound, Conflict.
    """
    require(actor, KEYS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    why = read_reason(reason)
    with desk.store.transaction(actor) as work:
        owner = rows.organization_row(work, organization_id, "share")
        row = locked(work, organization_id, key_id)
        grace = fields.grace(default_grace(owner) if grace_seconds is None else grace_seconds)
        ends_at = work.now + grace
        successor, key = _successor(
            desk,
            work,
            owner,
            row,
            (ACTIVE,),
            {
                "status": ACTIVE if grace else ROTATED,
                "expires_at": min(row.expires_at or ends_at, ends_at),
            },
        )
        record(
            work,
            row,
            "api_key.rotated",
            successor=successor.id,
            grace_seconds=int(grace.total_seconds()),
            why=why,
        )
        record(work, successor, "api_key.created", name=row.name, rotated_from=row.id)
        return created(owner, successor, key, work.now)


def replace(
    desk: Desk,
    actor: Actor,
    key_id: str,
    *,
    reason: str = COMPROMISED,
    organization_id: str | None = None,
) -> CreatedApiKey:
    """Revoke a key that others know, now, and make its successor in the same step (S2-49).

    Works at the plan's cap. Raises Forbidden, Invalid, NotFound, Conflict; then the key lives on.
    """
    require(actor, KEYS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    why = read_reason(reason) or COMPROMISED
    with desk.store.transaction(actor) as work:
        owner = rows.organization_row(work, organization_id, "update")
        row = locked(work, organization_id, key_id)
        if status_at(row, work.now) == DISABLED:
            require_room(work, owner)  # it did not count, and its successor will
        successor, key = _successor(
            desk,
            work,
            owner,
            row,
            (ACTIVE, DISABLED),
            {"status": REVOKED, "revoked_at": work.now, "revoked_reason": why},
        )
        record(work, row, "api_key.revoked", successor=successor.id, why=why)
        record(work, successor, "api_key.created", name=row.name, rotated_from=row.id)
        return created(owner, successor, key, work.now)


def _successor(
    desk: Desk,
    work: Transaction,
    owner: OrganizationRow,
    row: ApiKeyRow,
    statuses: tuple[str, ...],
    becomes: Mapping[str, Any],
) -> tuple[ApiKeyRow, str]:
    """The one successor of a key in one of these statuses; the key ``becomes`` this by it."""
    organization = organizations.record(work.session, owner)
    # Whoever makes a key can use it.
    flat = require_grantable(work.actor, organization, Grant.of(row.scopes))
    require_service_keys(organization, flat)
    read_allowed(work, flat, row.act_as_organizations or ())
    if within_own_life(work, row.expires_at) != row.expires_at:
        raise Forbidden("The key would outlive yours")
    inherited = {name: getattr(row, name) for name in _INHERITED}
    successor, key = new_key(desk, work, owner, inherited | {"rotated_from": row.id})
    claimed = api_keys.claim_succession(
        work.session,
        owner.id,
        row.id,
        statuses=statuses,
        now=work.now,
        values={**becomes, "rotated_to": successor.id},
    )
    if not claimed:
        status = status_at(row, work.now)
        succeeded = status == ROTATED or row.rotated_to is not None
        raise Conflict("The key is rotated already" if succeeded else f"The key is {status}")
    return successor, key
