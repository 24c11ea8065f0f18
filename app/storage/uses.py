"""Uses of credentials, added up: what a batch of token events says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from app.builtin import INTROSPECT_CLASS, INTROSPECTED_CLASS, REVOKE_CLASS, TOKEN_CLASS
from app.records import LIMITED, REFUSED, SUCCESS
from keyturn.networks import coarse_network


class Use(NamedTuple):
    """Uses of one kind: whose, where, with what outcome, in which hour (since 1970)."""

    credential_type: str
    credential_id: str
    organization_id: str
    hour: int
    route_class: str
    outcome: str
    network: str | None = None
    """It was seen from there; None: not known, or not seen at all but only named."""
    secret_id: str | None = None
    issued: str = ""
    """Scopes that were put into a token, separated by spaces."""
    exercised: str = ""
    """Scopes that were needed and there."""


Uses = Mapping[Use, tuple[int, datetime]]
"""How many of each, and when the last one was."""


def uses_of(rows: Iterable[Mapping[str, Any]]) -> Uses:
    """What token events say, added up. Under a microsecond each: the names are put together for
    each kind, not for each event."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        if row["type"] in _CLASSES:
            time, said = row["time"], row["details"].get
            kind = (
                *_SAID(row), said("scope"), said("secret_id"), said("class"), said("network"),
                time[:_HOUR],
            )  # fmt: skip
            try:
                counted = found.get(kind)
            except TypeError:  # unhashable: not a line of ours
                continue
            if counted is None:
                found[kind] = [1, time]
            else:
                counted[0] += 1
                counted[1] = time  # as they were appended; nothing in the database goes backwards
    uses: dict[Use, tuple[int, datetime]] = {}
    for kind, (count, text) in found.items():
        time = datetime.fromisoformat(text)
        if (use := _use(hour_of(time), *kind[:-1])) is not None:
            before, last = uses.get(use, (0, time))
            uses[use] = before + count, max(last, time)
    return uses


_CLASSES = {
    "token.issued": TOKEN_CLASS,
    "token.refused": TOKEN_CLASS,
    "introspection.refused": INTROSPECT_CLASS,
    "revocation.refused": REVOKE_CLASS,
    "api_key.used": INTROSPECTED_CLASS,
    "api_key.refused": INTROSPECTED_CLASS,
}
_TEXT_OR_NONE = frozenset({str, type(None)})
_SAID = itemgetter("type", "actor_type", "actor_id", "organization_id", "outcome", "reason", "ip")
_HOUR = len("2026-01-01T00")


def _use(
    hour: int,
    event_type: str,
    credential_type: str,
    credential_id: str | None,
    organization_id: str | None,
    outcome: str,
    reason: str | None,
    ip: str | None,
    scope: str | None,
    secret_id: str | None,
    route_class: str | None,
    network: str | None,
) -> Use | None:
    if credential_type not in ("client", "api_key") or not credential_id or not organization_id:
        return None
    if not _TEXT_OR_NONE.issuperset(map(type, (scope, secret_id, route_class, network))):
        return None
    issued = event_type == "token.issued"
    return Use(
        credential_type=credential_type,
        credential_id=credential_id,
        organization_id=organization_id,
        hour=hour,
        route_class=_CLASSES[event_type] if route_class is None else route_class,
        outcome=_outcome(outcome, reason),
        # Of a token request alone the address is the credential's holder's, who has proven to be.
        network=coarse_network(ip) if issued else network,
        secret_id=secret_id,
        issued=(scope or "") if issued else "",
        exercised=(scope or "") if event_type == "api_key.used" else "",
    )


def _outcome(outcome: str, reason: str | None) -> str:
    if outcome == SUCCESS:
        return SUCCESS
    return LIMITED if reason == "rate_limited" else REFUSED


def hour_of(time: datetime) -> int:
    """The hour of this instant, counted from 1970."""
    return int(time.timestamp() // 3600)
