"""What resource servers have seen: uses of credentials, counted there and reported in batches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from app.admin import fields
from app.admin.desk import Desk
from app.admin.rate_limits import is_route_class
from app.admin.rights import require
from app.builtin import INTROSPECT, ORGANIZATIONS_READ
from app.errors import Invalid
from app.ids import record_id
from app.records import OUTCOMES, Actor, RequestRecord
from app.settings import Settings
from app.storage import request_records, usage_retention
from app.storage import usage_reports as stored
from app.storage.store import Store
from app.storage.usage_reports import Owned, Taken
from app.storage.uses import Use, Uses, hour_of
from keyturn.errors import InvalidScope
from keyturn.networks import is_coarse
from keyturn.scope import ScopeSet

MAX_ENTRIES = 100
"""As many always fit into a body, however long their fields are."""
MAX_REQUESTS = 50
"""The same."""
MAX_SCOPE = 256
MAX_COUNT = 1_000_000_000
HOUR = timedelta(hours=1)
OLDEST = timedelta(days=7)
"""Older uses are not counted any more."""
KEPT = OLDEST + timedelta(days=1)
"""How long a report is known; what it says is too old to be counted again then."""

MAX_LATENCY = 86_400_000
MAX_ROUTE = 256
MAX_AGENT = 256

_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
_METHOD = re.compile(r"[A-Z]{1,16}")
_REASON = re.compile(r"[a-z0-9_]{1,64}")
_TEXTS = {"route": MAX_ROUTE, "user_agent": MAX_AGENT, "request_id": 64}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A single request, as the API that served it describes it."""

    credential_id: str
    at: datetime
    method: str
    route: str
    """The template, not the path: what strangers type stands in no log of ours."""
    status: int
    latency_ms: float | None = None
    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    outcome: str = "success"
    reason: str | None = None


def take(
    desk: Desk,
    actor: Actor,
    report_id: str,
    entries: Sequence[Entry],
    requests: Sequence[Request] = (),
) -> Taken:
    """Count a report and keep its single requests, once. What is nobody's, or none of the
    reporter's business, is ignored, and so is what is too old. Raises Forbidden, Invalid.
    """
    require(actor, INTROSPECT)
    if not _ID.fullmatch(report_id):
        raise Invalid("id must have 16 to 64 letters, digits, '_' or '-'", field="id")
    for named, most, field in (
        (entries, MAX_ENTRIES, "entries"),
        (requests, MAX_REQUESTS, "requests"),
    ):
        if len(named) > most or not (entries or requests):
            raise Invalid(f"{field} must have 1 to {most} entries", field=field)
    for number, entry in enumerate(entries):
        _check(entry, f"entries.{number}.")
    kept = [_readable(request, f"requests.{number}.") for number, request in enumerate(requests)]
    now = desk.clock()
    recent = [entry for entry in entries if now - OLDEST <= entry.bucket <= now + HOUR]
    kept = [request for request in kept if now - OLDEST <= request.at <= now + HOUR]
    with desk.store.begin() as connection:
        ids = {one.credential_id for one in recent} | {one.credential_id for one in kept}
        known = {
            id: owned
            for id, owned in stored.owners(connection, ids).items()
            if _may_see(actor, owned)
        }
        seen = [(one, known[one.credential_id]) for one in recent if one.credential_id in known]
        records = [
            _record(one, known[one.credential_id]) for one in kept if one.credential_id in known
        ]
        accepted = len(seen) + len(records)
        taken = Taken(accepted, len(entries) + len(requests) - accepted)
        return stored.take(connection, actor.id, report_id, _uses(seen, now), records, taken, now)


def forget(store: Store, settings: Settings) -> None:
    """Remove what is kept no longer: reports, and with them all other usage. Raises Unavailable."""
    now = store.clock()
    stored.forget(store, now - KEPT)
    usage_retention.forget(store, now - settings.usage_retention)
    request_records.forget(store, now - settings.request_retention)


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


def _readable(request: Request, where: str) -> Request:
    if not _METHOD.fullmatch(request.method):
        raise Invalid("method must have 1 to 16 capital letters", field=f"{where}method")
    for name, longest in _TEXTS.items():
        if (value := getattr(request, name)) is not None:
            fields.note(value, f"{where}{name}", longest)
    fields.number(request.status, f"{where}status", 100, 599)
    fields.one_of(request.outcome, OUTCOMES, f"{where}outcome")
    if request.reason is not None and not _REASON.fullmatch(request.reason):
        raise Invalid("reason must be a code", field=f"{where}reason")
    if request.latency_ms is not None and not 0 <= request.latency_ms <= MAX_LATENCY:
        raise Invalid(
            f"latency_ms must lie between 0 and {MAX_LATENCY}", field=f"{where}latency_ms"
        )
    try:
        ip = None if request.ip is None else str(ip_address(request.ip))
    except ValueError:
        raise Invalid("ip is no address", field=f"{where}ip") from None
    return replace(request, ip=ip)


def _record(request: Request, owned: Owned) -> RequestRecord:
    return RequestRecord(
        id=record_id(request.at),
        credential_type=owned.credential_type,
        organization_id=owned.organization_id,
        **asdict(request),
    )
