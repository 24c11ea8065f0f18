"""What time does to API keys: they expire, fall due, and are disabled when nobody uses them."""

from __future__ import annotations

from datetime import timedelta

from app.admin import rows
from app.apikeys.keys import record
from app.apikeys.policies import ROTATIONS, KeyPolicy
from app.apikeys.values import status_at
from app.records import DISABLED, EXPIRED
from app.storage import api_keys, organizations
from app.storage.store import Store, Transaction
from app.tokens.upkeep import SCHEDULE

MOST = 500
"""Keys in one transaction; the rest waits for the next round."""


def keep_policies(store: Store) -> None:
    """Tell what is due by an organization's policy, and disable what nobody uses: each key once,
    whichever worker comes first. Raises Unavailable.
    """
    with store.reading() as session:
        found = organizations.with_key_policy(session)
    for organization_id in found:
        with store.transaction(SCHEDULE) as work:
            # Locked, so that of several workers one tells it.
            owner = rows.organization_row(work, organization_id, "update")
            policy = KeyPolicy.of(owner)
            _tell_rotations(work, owner.id, policy)
            _tell_inactivity(work, owner.id, policy)


def write_down_ends(store: Store) -> None:
    """A key that has expired, or whose grace has ended: nothing changes but what is written.

    Raises Unavailable.
    """
    with store.transaction(SCHEDULE) as work:
        for row in api_keys.over(work.session, work.now, MOST):
            row.status = status_at(row, work.now)
            row.updated_at = work.now
            name = "expired" if row.status == EXPIRED else "grace_ended"
            record(work, row, f"api_key.{name}", successor=row.rotated_to)


def _tell_rotations(work: Transaction, organization_id: str, policy: KeyPolicy) -> None:
    for standing in ROTATIONS:
        made_until = policy.made(standing, work.now)
        if made_until is None:
            return
        event = f"api_key.rotation_{standing}"
        found = api_keys.ageing(
            work.session,
            organization_id,
            now=work.now,
            event=event,
            made_until=made_until,
            limit=MOST,
        )
        for row in found:
            record(work, row, event, rotate_by=str(policy.rotate_by(row.created_at)))


def _tell_inactivity(work: Transaction, organization_id: str, policy: KeyPolicy) -> None:
    event = "api_key.inactive"
    if policy.disable_inactive_days is not None:
        since = work.now - timedelta(days=policy.disable_inactive_days)
        for row in api_keys.unused(
            work.session, organization_id, now=work.now, since=since, limit=MOST
        ):
            row.status = DISABLED
            row.updated_at = work.now
            record(work, row, "api_key.disabled", why=f"unused since {since:%Y-%m-%d}")
    if policy.warn_inactive_days is not None:
        since = work.now - timedelta(days=policy.warn_inactive_days)
        for row in api_keys.unused(
            work.session, organization_id, now=work.now, since=since, limit=MOST, event=event
        ):
            record(work, row, event, days=policy.warn_inactive_days)
