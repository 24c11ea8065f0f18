"""The end of an API key: one, or at once all that somebody has had in their hands."""

from __future__ import annotations

from app.admin import fields, rows
from app.admin.desk import Desk
from app.admin.rights import reach, require, require_environment
from app.apikeys.keys import locked, record
from app.apikeys.values import ApiKeyView, view
from app.builtin import KEYS_WRITE
from app.errors import Invalid
from app.records import REVOKED, Actor
from app.storage import api_keys
from app.storage.models import ApiKeyRow
from app.storage.store import Transaction

REASONS = ("routine", "employee_left", "incident", "hosting_change", "compromised")
"""Words for why a key is rotated, replaced or revoked (S2-55, S2-56); any other line does, too."""
MAX_REASON = 200
MAX_MAKER = 64


def revoke(
    desk: Desk,
    actor: Actor,
    key_id: str,
    *,
    reason: str = "",
    organization_id: str | None = None,
) -> ApiKeyView:
    """End a key for ever, now. Idempotent: the first time and reason stand (S3-11).

    Raises Forbidden, Invalid, NotFound.
    """
    require(actor, KEYS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    why = read_reason(reason)
    with desk.store.transaction(actor) as work:
        owner = rows.organization_row(work, organization_id, "share")
        row = locked(work, organization_id, key_id)
        if row.status != REVOKED:
            end(work, row, why)
        return view(owner, row, work.now)


def revoke_all(
    desk: Desk,
    actor: Actor,
    created_by: str,
    *,
    reason: str = "",
    organization_id: str | None = None,
) -> tuple[str, ...]:
    """End every key that somebody made or rotated, and so has seen (S2-55): all of them or none.

    Answers the ids of those that were still good for something. Raises Forbidden, Invalid.
    """
    require(actor, KEYS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    why = read_reason(reason)
    maker = fields.note(created_by, "created_by", MAX_MAKER)
    if not maker:
        raise Invalid("created_by must name somebody", field="created_by")
    with desk.store.transaction(actor) as work:
        return end_all(work, organization_id, maker, why)


def end_all(
    work: Transaction, organization_id: str, maker: str, why: str | None
) -> tuple[str, ...]:
    """End every key that somebody has seen; their ids. Raises Forbidden."""
    found = api_keys.seen_by(work.session, organization_id, maker, work.now, lock=True)
    for row in found:
        require_environment(work.actor, row.environment)
        end(work, row, why)
    return tuple(row.id for row in found)


def read_reason(reason: str) -> str | None:
    """Why something is done to a key: a line for the activity log. Raises Invalid."""
    return fields.note(reason, "reason", MAX_REASON) or None


def end(work: Transaction, row: ApiKeyRow, why: str | None) -> None:
    """Write down that a key has ended, checked before."""
    row.status = REVOKED
    row.revoked_at = row.updated_at = work.now
    row.revoked_reason = why
    record(work, row, "api_key.revoked", why=why)
