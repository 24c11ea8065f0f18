"""What resource servers have seen: uses of credentials, counted there and reported in batches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.admin import fields
from app.admin.desk import Desk
from app.admin.rate_limits import is_route_class
from app.admin.rights import require
from app.builtin import INTROSPECT, ORGANIZATIONS_READ
from app.errors import Invalid
from app.records import OUTCOMES, Actor
from app.settings import Settings
from app.storage import usage_reports as stored
from app.storage import usage_retention
from app.storage.store import Store
from app.storage.usage_reports import Owned, Taken
from app.storage.uses import Use, Uses, hour_of
from keyturn.errors import InvalidScope
from keyturn.networks import is_coarse
from keyturn.scope import ScopeSet

MAX_ENTRIES = 100
"""As many always fit into a body, however long their fields are."""
MAX_SCOPE = 256
MAX_COUNT = 1_000_000_000
HOUR = timedelta(hours=1)
OLDEST = timedelta(days=7)
"""Older uses are not counted any more."""
KEPT = OLDEST + timedelta(days=1)
"""How long a report is known; what it says is too old to be counted again then."""

_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Uses of a credential in an hour, of one kind."""

    credential_id: str
    bucket: datetime
    """Where its hour begins."""
    count: int
    route_class: str = ""
    scope: str = ""
    """What the routes needed."""
    outcome: str = "success"
    network: str | None = None


def take(desk: Desk, actor: Actor, report_id: str, entries: Sequence[Entry]) -> Taken:
    """Count a report, once. What is nobody's, or none of the reporter's business, is ignored, and
    so is what is too old. Raises Forbidden, Invalid.
    """
    require(actor, INTROSPECT)
    if not _ID.fullmatch(report_id):
        raise Invalid("id must have 16 to 64 letters, digits, '_' or '-'", field="id")
    if not 1 <= len(entries) <= MAX_ENTRIES:
        raise Invalid(f"entries must have 1 to {MAX_ENTRIES} entries", field="entries")
    for number, entry in enumerate(entries):
        _check(entry, f"entries.{number}.")
    now = desk.clock()
    recent = [entry for entry in entries if now - OLDEST <= entry.bucket <= now + HOUR]
    with desk.store.begin() as connection:
        known = stored.owners(connection, {entry.credential_id for entry in recent})
        seen = [
            (entry, known[entry.credential_id])
            for entry in recent
            if entry.credential_id in known and _may_see(actor, known[entry.credential_id])
        ]
        taken = Taken(len(seen), len(entries) - len(seen))
        return stored.take(connection, actor.id, report_id, _uses(seen, now), taken, now)


def forget(store: Store, settings: Settings) -> None:
    """Remove what is kept no longer: reports, and with them all other usage. Raises Unavailable."""
    now = store.clock()
    stored.forget(store, now - KEPT)
    usage_retention.forget(store, now - settings.usage_retention)


def _may_see(actor: Actor, owned: Owned) -> bool:
    """As with introspection: its own organization's, and the operator's every one's."""
    sees_all = actor.is_operator and ORGANIZATIONS_READ in actor.scopes
    return sees_all or owned.organization_id == actor.organization_id


def _uses(seen: Iterable[tuple[Entry, Owned]], now: datetime) -> Uses:
    uses: dict[Use, tuple[int, datetime]] = {}
    for entry, owned in seen:
        use = Use(
            credential_type=owned.credential_type,
            credential_id=entry.credential_id,
            organization_id=owned.organization_id,
            hour=hour_of(entry.bucket),
            route_class=entry.route_class,
            outcome=entry.outcome,
            network=entry.network,
            exercised=entry.scope,
        )
        # Of an hour that is over, all that is known is that it was in it.
        uses[use] = (uses.get(use, (0, now))[0] + entry.count, min(now, entry.bucket + HOUR))
    return uses


def _check(entry: Entry, where: str) -> None:
    if entry.route_class and not is_route_class(entry.route_class):
        raise Invalid(
            "class must have up to 32 lower-case letters, digits, '.', '_' or '-'",
            field=f"{where}route_class",
        )
    try:
        ScopeSet.parse(entry.scope)
    except InvalidScope as error:
        raise Invalid(error.description, field=f"{where}scope") from None
    if len(entry.scope) > MAX_SCOPE:
        raise Invalid(f"scope must have at most {MAX_SCOPE} characters", field=f"{where}scope")
    fields.one_of(entry.outcome, OUTCOMES, f"{where}outcome")
    fields.number(entry.count, f"{where}count", 1, MAX_COUNT)
    if entry.network is not None and not is_coarse(entry.network):
        raise Invalid(
            "network must be an IPv4 /24 or an IPv6 /48 in its shortest form",
            field=f"{where}network",
        )
    at = entry.bucket.astimezone(UTC)
    if (at.minute, at.second, at.microsecond) != (0, 0, 0):
        raise Invalid("bucket must be the beginning of an hour in UTC", field=f"{where}bucket")
