"""Fill an installation with made-up clients, keys and events: to see how it is with real amounts.

One client and one key are made by their use cases, all others are copies of them with their own
ids, names, ages and fates, written in batches. Nobody is told their secrets. Events go the way of
the journal: chained, counted as usage, a thousand at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import Any

from app.admin import clients, organizations, scopes
from app.admin.desk import Desk
from app.admin.rights import require_operator
from app.apikeys import lifecycle
from app.apikeys.values import NewApiKey
from app.builtin import ORGANIZATIONS_WRITE
from app.errors import Conflict
from app.ids import event_id, new_id, new_jti, new_request_id
from app.key_templates import key_template, secret_template
from app.records import ACTIVE, DISABLED, REFUSED, REVOKED, SUCCESS, Actor
from app.storage import seeding, shipping
from app.storage.canonical import instant
from app.storage.search import folded
from keyturn.apikey import KeyTemplate, key_digest, last_four, prefix_of

AT_ONCE = 25_000
"""Credentials of a transaction, with places in a status list of their own."""
EVENTS_AT_ONCE = 5_000
FEW = 10
"""Clients that an organization may have that is not yet in use."""
BUSY = 500
"""Credentials that the events are about: most of those that exist are seldom used."""
SCOPES = ("bookings:read", "bookings:write", "reports:read")
WORDS = ("Billing", "Calendar sync", "Check-in desk", "Search", "Reports", "Mobile app",
         "Partner feed", "Availability", "Website", "Data warehouse")  # fmt: skip
AGENTS = ("python-httpx/0.28.1", "curl/8.14.1", "axios/1.12.2", "Go-http-client/2.0")

Progress = Callable[[str, int], None]
"""Told what was made, and how many more of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How many of each."""

    clients: int = 100_000
    keys: int = 100_000
    events: int = 1_000_000
    days: int = 90
    """The credentials' ages; the events are of the last third."""


def seed(
    desk: Desk,
    actor: Actor,
    amounts: Amounts,
    *,
    organization_id: str | None = None,
    even_if_in_use: bool = False,
    progress: Progress = lambda what, number: None,
) -> None:
    """Fill an organization. Raises Forbidden, NotFound, and Conflict for one that is in use."""
    require_operator(actor, ORGANIZATIONS_WRITE)
    organization = organizations.show(desk, actor, organization_id or actor.organization_id)
    with desk.store.connect() as connection:
        if not even_if_in_use and seeding.clients(connection, organization.id, FEW + 1) > FEW:
            raise Conflict("The organization is in use: made-up data would be mixed with its own")
    _declare(desk, actor, organization.id)
    named = clients.NewClient(name=WORDS[0], scopes=SCOPES, organization_id=organization.id)
    made = clients.create(desk, actor, named)
    new = NewApiKey(name=WORDS[0], scopes=SCOPES, organization_id=organization.id)
    key = lifecycle.create(desk, actor, new)
    prefix, environments = desk.settings.key_prefix, organization.environments
    its_keys = key_template(prefix, environments, organization.key_template)
    its_secrets = secret_template(prefix, environments)
    with desk.store.connect() as connection:
        client_model, secret_model = seeding.client_model(connection, made.client.client_id)
        key_model = seeding.key_model(connection, key.api_key.id)
    fill = _Fill(desk, timedelta(days=amounts.days), environments, progress)
    fill.write("clients", fill.clients(amounts.clients, client_model, secret_model, its_secrets))
    fill.write("keys", fill.keys(amounts.keys, key_model, its_keys))
    fill.busy.append(("client", made.client.client_id, organization.id))
    fill.events(amounts.events, timedelta(days=amounts.days) / 3)
    with desk.store.transaction(actor) as work:
        work.record(
            "organization.seeded",
            "organization",
            organization.id,
            organization_id=organization.id,
            clients=amounts.clients,
            keys=amounts.keys,
            events=amounts.events,
        )


def _declare(desk: Desk, actor: Actor, organization_id: str) -> None:
    for name in SCOPES:
        with suppress(Conflict):  # declared already
            scopes.add(desk, actor, scopes.NewScope(name=name, organization_id=organization_id))


class _Fill:
    """Makes rows, and writes them in batches."""

    def __init__(
        self, desk: Desk, age: timedelta, environments: Iterable[str], progress: Progress
    ) -> None:
        self.busy: list[tuple[str, str, str]] = []
        """Type, id and organization of credentials that something happens to."""
        self._desk, self._age, self._progress = desk, age, progress
        self._environments = cycle(environments)
        self._now = desk.clock()

    def write(self, what: str, rows: Iterable[seeding.Rows]) -> None:
        """Rows of a credential each, with their places in the status lists."""
        for batch in _batches(rows):
            with self._desk.store.begin() as connection:
                seeding.write(connection, batch)
            self._progress(what, len(batch))

    def clients(
        self,
        number: int,
        model: Mapping[str, Any],
        secret_model: Mapping[str, Any],
        template: KeyTemplate,
    ) -> Iterator[seeding.Rows]:
        for n, made_at in self._ages(number):
            environment, client_id = next(self._environments), new_id("client", made_at)
            stopped = n % 40 == 39
            text = template.generate(environment, self._desk.random_bytes)
            client = {
                **model,
                "client_id": client_id,
                **_named(n),
                "environment": environment,
                "status": DISABLED if stopped else ACTIVE,
                **self._times(made_at, n),
            }
            ends = self._now + timedelta(days=n % 400) if n % 5 == 0 else None
            secret = {
                **secret_model,
                "id": new_id("sec", made_at),
                "client_id": client_id,
                **_anatomy(text),
                "expires_at": ends,
                **self._times(made_at, n),
            }
            del secret["updated_at"]
            if len(self.busy) < BUSY and not stopped:
                self.busy.append(("client", client_id, model["organization_id"]))
            yield seeding.client_rows(client, secret)

    def keys(
        self, number: int, model: Mapping[str, Any], template: KeyTemplate
    ) -> Iterator[seeding.Rows]:
        for n, made_at in self._ages(number):
            environment = next(self._environments)
            status = {29: REVOKED, 59: DISABLED}.get(n % 60, ACTIVE)
            row = {
                **model,
                "id": new_id("key", made_at),
                **_named(n),
                "environment": environment,
                "status": status,
                "revoked_at": self._now if status == REVOKED else None,
                "expires_at": self._now + timedelta(days=1 + n % 400) if n % 7 == 0 else None,
                **_anatomy(template.generate(environment, self._desk.random_bytes)),
                **self._times(made_at, n),
            }
            if len(self.busy) < 2 * BUSY and status == ACTIVE:
                self.busy.append(("api_key", row["id"], row["organization_id"]))
            yield seeding.key_rows(row)

    def events(self, number: int, within: timedelta) -> None:
        begin, step = self._now - within, within / max(number, 1)
        for first in range(0, number, EVENTS_AT_ONCE):
            batch = range(first, min(first + EVENTS_AT_ONCE, number))
            events = [
                _event(self.busy[n * 7919 % len(self.busy)], begin + n * step, n) for n in batch
            ]
            shipping.write(self._desk.store, events)
            self._progress("events", len(batch))

    def _ages(self, number: int) -> Iterator[tuple[int, datetime]]:
        step = self._age / max(number, 1)
        return ((n, self._now - self._age + n * step) for n in range(number))

    def _times(self, made_at: datetime, n: int) -> dict[str, datetime | None]:
        used = None if n % 3 == 0 else made_at + (self._now - made_at) * (n % 97) / 97
        return {"created_at": made_at, "updated_at": made_at, "last_used_at": used}


def _batches(rows: Iterable[seeding.Rows]) -> Iterator[list[seeding.Rows]]:
    them = iter(rows)
    while batch := list(islice(them, AT_ONCE)):
        yield batch


def _named(n: int) -> dict[str, str]:
    name = f"{WORDS[n % len(WORDS)]} {n:06}"
    return {"name": name, "search_name": folded(name)}


def _anatomy(text: str) -> dict[str, Any]:
    return {"digest": key_digest(text), "prefix": prefix_of(text), "last_four": last_four(text)}


def _event(credential: tuple[str, str, str], time: datetime, n: int) -> dict[str, Any]:
    kind, credential_id, organization_id = credential
    refused = n % 25 == 24
    if kind == "client":
        type, target = ("token.refused", None) if refused else ("token.issued", new_jti())
        details = {} if refused else {"scope": SCOPES[n % 3], "env": "live"}
        reason = "secret_mismatch"
    else:
        type, target = f"api_key.{'refused' if refused else 'used'}", credential_id
        details, reason = {"scope": SCOPES[n % 3]}, "ip_not_allowed"
    return {
        "id": event_id(int(time.timestamp() * 1e9)),
        "time": instant(time),
        "type": type,
        "actor_type": kind,
        "actor_id": credential_id,
        "organization_id": organization_id,
        "target_type": target and ("token" if kind == "client" else "api_key"),
        "target_id": target,
        "outcome": REFUSED if refused else SUCCESS,
        "reason": reason if refused else None,
        "ip": f"192.0.2.{n % 200}",  # of TEST-NET-1 (RFC 5737): nobody's
        "user_agent": AGENTS[n % len(AGENTS)],
        "request_id": new_request_id(),
        "details": details,
    }
