"""Write down how credentials are used: a batch at a time, one row a kind, and nothing per use.

What comes from the journal is counted in the transaction that ships it, so each event counts
once; what is counted in memory (``app.tokens.uses``) and what verifiers report comes the same way.
Rows are written sorted and always in the order of this module, behind the ends of the chains: no
two writers wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Table, bindparam, case, func, or_, select, update
from sqlalchemy.engine import Connection

from app.ids import event_id
from app.records import SUCCESS, Event
from app.storage import chain
from app.storage.canonical import stream_of
from app.storage.models import (
    ApiKeyRow,
    ClientRow,
    ClientSecretRow,
    UsageCountRow,
    UsageNetworkRow,
    UsageScopeRow,
)
from app.storage.store import event_row
from app.storage.upsert import upsert
from app.storage.uses import Use, Uses, uses_of


def note_events(connection: Connection, rows: Iterable[Mapping[str, Any]], lane: int) -> None:
    """Count what a batch of token events says, each for the first time. The ends of their chains
    are held already."""
    add(connection, uses_of(rows), lane)


def add(connection: Connection, uses: Uses, lane: int) -> None:
    """Count them: last use, counts, scopes, networks; an event for each network that is new."""
    if not uses:
        return
    _note_last_use(connection, uses)
    _count(connection, uses)
    _note_scopes(connection, uses)
    events = _new_networks(connection, _note_networks(connection, uses))
    if events:
        chain.append_once(connection, [event_row(event) for event in events], lane)


def hold(connection: Connection, uses: Uses, lane: int) -> None:
    """Hold the chains that ``add`` may append to, for whoever does not hold them already."""
    if uses:
        chain.lock(connection, {stream_of(use.organization_id, lane) for use in uses})


# Last use ----------------------------------------------------------------------------------------


def _note_last_use(connection: Connection, uses: Uses) -> None:
    """Of clients, secrets and keys: one statement each, none goes backwards."""
    last: dict[tuple[str, str], datetime] = {}
    for use, (_, time) in uses.items():
        if use.outcome == SUCCESS:
            used = [(use.credential_type, use.credential_id)]
            if use.secret_id:
                used.append(("secret", use.secret_id))
            for name in used:
                last[name] = max(time, last.get(name, time))
    for kind, table, key in _USED:
        # Sorted, so that two writers lock the rows in one order.
        rows = sorted((id, time) for (type, id), time in last.items() if type == kind)
        if rows:
            connection.execute(
                _last_used(table, key), [{"used_id": id, "used_at": time} for id, time in rows]
            )


_USED: tuple[tuple[str, Table, str], ...] = (
    ("client", ClientRow.__table__, "client_id"),  # type: ignore[assignment]
    ("secret", ClientSecretRow.__table__, "id"),
    ("api_key", ApiKeyRow.__table__, "id"),
)


def _last_used(table: Table, key: str) -> Any:
    used_at = bindparam("used_at", type_=table.c.last_used_at.type)
    return (
        update(table)
        .where(table.c[key] == bindparam("used_id"))
        .where(or_(table.c.last_used_at.is_(None), table.c.last_used_at < used_at))
        .values(last_used_at=used_at)
    )


# Counts, scopes, networks ------------------------------------------------------------------------

COUNTS: Table = UsageCountRow.__table__  # type: ignore[assignment]
SCOPES: Table = UsageScopeRow.__table__  # type: ignore[assignment]
NETWORKS: Table = UsageNetworkRow.__table__  # type: ignore[assignment]


def _later(table: Table, column: str, new: Any) -> Any:
    """The later of what is there and what comes; either may be null."""
    old, new = table.c[column], new[column]
    return case((or_(old.is_(None), old < new), new), else_=old)


def _count(connection: Connection, uses: Uses) -> None:
    counts: dict[tuple[Any, ...], int] = {}
    for use, (count, _) in uses.items():
        place = use[:6]
        counts[place] = counts.get(place, 0) + count
    statement = upsert(connection, COUNTS)
    statement = statement.on_conflict_do_update(
        index_elements=list(COUNTS.primary_key),
        set_={"count": COUNTS.c.count + statement.excluded.count},
    )
    connection.execute(
        statement,
        [{**dict(zip(Use._fields, place, strict=False)), "count": counts[place]}
         for place in sorted(counts)],
    )  # fmt: skip


def _note_scopes(connection: Connection, uses: Uses) -> None:
    noted: dict[tuple[str, str], dict[str, datetime | None]] = {}
    for use, (_, time) in uses.items():
        if use.outcome != SUCCESS:
            continue
        for column, scopes in (("last_issued_at", use.issued), ("last_used_at", use.exercised)):
            for scope in scopes.split():
                row = noted.setdefault(
                    (use.credential_id, scope), {"last_issued_at": None, "last_used_at": None}
                )
                row[column] = max(time, row[column] or time)
    if not noted:
        return
    statement = upsert(connection, SCOPES)
    columns = ("last_issued_at", "last_used_at")
    statement = statement.on_conflict_do_update(
        index_elements=list(SCOPES.primary_key),
        set_={name: _later(SCOPES, name, statement.excluded) for name in columns},
    )
    connection.execute(
        statement,
        [{"credential_id": id, "scope": scope, **noted[id, scope]} for id, scope in sorted(noted)],
    )


def _note_networks(connection: Connection, uses: Uses) -> list[dict[str, Any]]:
    """Answers those that are new, in the order in which they were seen."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for use, (count, time) in uses.items():
        if use.network is None:
            continue
        row = seen.setdefault(
            (use.credential_id, use.network),
            {
                "credential_id": use.credential_id,
                "network": use.network,
                "credential_type": use.credential_type,
                "organization_id": use.organization_id,
                "first_seen_at": time,
                "last_seen_at": time,
                "count": 0,
            },
        )
        row["count"] += count
        row["first_seen_at"] = min(row["first_seen_at"], time)
        row["last_seen_at"] = max(row["last_seen_at"], time)
    if not seen:
        return []
    statement = upsert(connection, NETWORKS)
    statement = statement.on_conflict_do_update(
        index_elements=list(NETWORKS.primary_key),
        set_={
            "count": NETWORKS.c.count + statement.excluded.count,
            "last_seen_at": _later(NETWORKS, "last_seen_at", statement.excluded),
        },
    ).returning(NETWORKS.c.credential_id, NETWORKS.c.network, NETWORKS.c.count)
    written = connection.execute(statement, [seen[place] for place in sorted(seen)])
    # No count is zero: one that is ours alone was not there before.
    new = [
        seen[id, network] for id, network, count in written if count == seen[id, network]["count"]
    ]
    return sorted(new, key=itemgetter("first_seen_at", "credential_id", "network"))


def _new_networks(connection: Connection, new: Sequence[Mapping[str, Any]]) -> list[Event]:
    """Events of those that are not the first of their credential, which is no news."""
    if not new:
        return []
    counted = (
        select(NETWORKS.c.credential_id, func.count())
        .where(NETWORKS.c.credential_id.in_({row["credential_id"] for row in new}))
        .group_by(NETWORKS.c.credential_id)
    )
    known: dict[str, int] = dict(connection.execute(counted).all())
    for row in new:
        known[row["credential_id"]] -= 1
    events = []
    for row in new:
        if before := known[row["credential_id"]]:
            events.append(_new_network(row, before))
        known[row["credential_id"]] += 1
    return events


def _new_network(row: Mapping[str, Any], known: int) -> Event:
    who = (row["credential_type"], row["credential_id"])
    return Event(
        id=event_id(int(row["first_seen_at"].timestamp() * 1e6) * 1000),
        time=row["first_seen_at"],
        type=f"{row['credential_type']}.new_network",
        actor_type=who[0],
        actor_id=who[1],
        organization_id=row["organization_id"],
        target_type=who[0],
        target_id=who[1],
        details={"network": row["network"], "known": known},
    )
