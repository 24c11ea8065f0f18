"""An installation as the tests need it: migrated, bootstrapped, and easily filled.

Everything is made by the use cases that the CLI and the management API call, so a test begins
where a real installation would. What is made here is seen by a served process through the feed
of changes, within ``POLL_MS``; what that process has never asked for, at once.
"""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from sqlalchemy import delete, text
from sqlalchemy import update as sql_update

from app import create_app, wiring
from app.admin import client_secrets, clients, organizations, presets, resources, scopes
from app.admin import signing_keys as signing_key_cases
from app.admin.operator import operator_actor
from app.apikeys import endings, lifecycle, policies
from app.apikeys.values import NewApiKey
from app.crypto.master_key import create_master_key
from app.crypto.passwords import Cost, Passwords
from app.records import Actor
from app.settings import Settings
from app.storage.models import ClientRow
from app.wiring import Services, services
from tests.support.migrated import migrate

ROOT = Path(__file__).resolve().parents[2]
POLL_MS = 50
# In this process alone: a served one hashes at its real cost, a fifth of a second at a sign-in.
wiring.Passwords = partial(Passwords, cost=Cost(memory=256, rounds=1))
SCOPES: Mapping[str, Sequence[str]] = {
    "bookings:read": (),
    "bookings:create": (),
    "bookings:cancel": (),
    "bookings:write": ("bookings:create",),
    "reports:read": (),
}
"""What every installation's operator organization declares; ``bookings:write`` implies
``bookings:create``, and neither ``bookings:read`` nor ``bookings:cancel``."""


class Credentials(NamedTuple):
    """A client; can be passed wherever HTTP Basic wants ``(user, password)``."""

    client_id: str
    client_secret: str


class Key(NamedTuple):
    """An API key."""

    id: str
    key: str


class Installation:
    """One database, one directory of keys, one journal, and the use cases over them."""

    def __init__(self, directory: Path, database_url: str, environ: Mapping[str, str]) -> None:
        self.directory = directory
        self.environ = {
            "KEYTURN_DATABASE_URL": database_url,
            "KEYTURN_KEYS_DIR": str(directory / "keys"),
            "KEYTURN_JOURNAL_DIR": str(directory / "journal"),
            "KEYTURN_COUNTERS_FILE": str(directory / "counters"),
            "KEYTURN_POLL_INTERVAL": str(POLL_MS),
            **environ,
        }
        self.app = create_app(Settings.from_env(self.environ))
        self._count = itertools.count(1)
        self._http: httpx.Client | None = None
        self.operator: Actor
        """May do everything, everywhere, as the command line."""
        self.organization_id: str
        """The operator organization."""

    @property
    def services(self) -> Services:
        return services(self.app)

    @property
    def desk(self) -> Any:
        return self.services.desk

    @property
    def database_url(self) -> str:
        return self.environ["KEYTURN_DATABASE_URL"]

    @property
    def journal_dir(self) -> Path:
        return Path(self.environ["KEYTURN_JOURNAL_DIR"])

    def prepare(self) -> None:
        """What the first start makes, but for the client that it shows on the terminal."""
        create_master_key(self.environ["KEYTURN_KEYS_DIR"], secrets.token_bytes)
        migrate(self.app, self.services.store.engine)
        self.operator = operator_actor("", "tests")
        with self.desk.store.transaction(self.operator) as work:
            self.services.keyring.begin(work)
            self.organization_id = organizations.new_row(
                work,
                "Operator",
                is_operator=True,
                environments=list(organizations.ENVIRONMENTS),
                key_template={},
                profile=organizations.PROFILES[0],
            ).id
        self.operator = operator_actor(self.organization_id, "tests")
        for name, implies in SCOPES.items():
            self.scope(name, implies=implies)

    def close(self) -> None:
        """End the background work and let go of the database."""
        if self._http is not None:
            self._http.close()
        self.services.stop()
        self.services.store.engine.dispose()

    # Filling it ----------------------------------------------------------------------------

    def organization(
        self,
        name: str | None = None,
        *,
        environments: Sequence[str] = ("live", "test"),
        scopes: Mapping[str, Sequence[str]] | Sequence[str] = (),
        **also: Any,
    ) -> str:
        """A new organization and its declared scopes; answers its id."""
        made = organizations.create(
            self.desk,
            self.operator,
            organizations.NewOrganization(
                name=name or self._name("organization"), environments=environments, **also
            ),
        )
        for scope in scopes:
            implies = scopes[scope] if isinstance(scopes, Mapping) else ()
            self.scope(scope, implies=implies, organization=made.id)
        return made.id

    def scope(
        self,
        name: str,
        *,
        implies: Sequence[str] = (),
        organization: str | None = None,
        **also: Any,
    ) -> str:
        new = scopes.NewScope(name=name, implies=implies, organization_id=organization, **also)
        scopes.add(self.desk, self.operator, new)
        return name

    def preset(self, name: str, scopes: Sequence[str], *, organization: str | None = None) -> str:
        new = presets.NewPreset(name=name, scopes=scopes, organization_id=organization)
        presets.create(self.desk, self.operator, new)
        return name

    def resource(
        self,
        identifier: str,
        *,
        scopes: Sequence[str] = (),
        environments: Sequence[str] = (),
        organization: str | None = None,
    ) -> str:
        """A protected API; answers its id."""
        new = resources.NewResource(
            identifier=identifier,
            scopes=scopes,
            environments=environments,
            organization_id=organization,
        )
        return resources.create(self.desk, self.operator, new).id

    def client(
        self,
        scopes: Sequence[str] = ("bookings:read",),
        *,
        organization: str | None = None,
        **also: Any,
    ) -> Credentials:
        """A client with one secret: ``environment``, ``audiences``, ``token_ttl``, …"""
        created = clients.create(
            self.desk,
            self.operator,
            clients.NewClient(
                name=also.pop("name", None) or self._name("client"),
                scopes=None if "preset" in also else scopes,
                organization_id=organization,
                **also,
            ),
        )
        return Credentials(created.client.client_id, created.client_secret or "")

    def secret(self, client_id: str, *, organization: str | None = None, **also: Any) -> Any:
        """One more secret of a client: ``id``, ``client_secret``, ``expires_at``."""
        new = client_secrets.NewSecret(**also)
        return client_secrets.add(
            self.desk, self.operator, client_id, new, organization_id=organization
        )

    def end_secret(
        self, client_id: str, secret_id: str, *, organization: str | None = None
    ) -> None:
        client_secrets.remove(
            self.desk, self.operator, client_id, secret_id, organization_id=organization
        )

    def api_key(
        self,
        scopes: Sequence[str] = ("bookings:read",),
        *,
        organization: str | None = None,
        **also: Any,
    ) -> Key:
        """An API key: ``environment``, ``expires_in``, ``allowed_ips``, …"""
        created = lifecycle.create(
            self.desk,
            self.operator,
            NewApiKey(
                name=also.pop("name", None) or self._name("key"),
                scopes=None if "preset" in also else scopes,
                organization_id=organization,
                **also,
            ),
        )
        return Key(created.api_key.id, created.key)

    def revoke_key(self, key_id: str, *, organization: str | None = None) -> None:
        endings.revoke(self.desk, self.operator, key_id, organization_id=organization)

    def disable(self, client_id: str, *, organization: str | None = None) -> None:
        clients.disable(self.desk, self.operator, client_id, organization_id=organization)

    def enable(self, client_id: str, *, organization: str | None = None) -> None:
        clients.enable(self.desk, self.operator, client_id, organization_id=organization)

    def suspend(self, organization: str) -> None:
        self.change_organization(organization, status="suspended")

    def resume(self, organization: str) -> None:
        self.change_organization(organization, status="active")

    def change_organization(self, organization: str, **changes: Any) -> None:
        """``status``, ``environments``, ``name``, …"""
        organizations.update(
            self.desk, self.operator, organization, organizations.OrganizationChanges(**changes)
        )

    def allow_service_keys(self) -> None:
        """An API key of the operator's may act for organizations."""
        changes = policies.KeyPolicyChanges(service_keys="allow")
        policies.update(self.desk, self.operator, changes)

    def rotate_signing_key(self, algorithm: str | None = None, *, force: bool = True) -> str:
        """The new current ``kid``."""
        return signing_key_cases.rotate(
            self.desk, self.operator, algorithm=algorithm, force=force
        ).kid

    def retire_signing_key(self, kid: str) -> None:
        signing_key_cases.retire(self.desk, self.operator, kid)

    # What no use case does -----------------------------------------------------------------

    def force_client(self, client_id: str, **columns: Any) -> None:
        """Set columns that no use case lets one set (an end in the past, another method)."""
        with self.desk.store.transaction(self.operator) as work:
            work.session.execute(
                sql_update(ClientRow).where(ClientRow.client_id == client_id).values(**columns)
            )
            work.changed("client", client_id)

    def delete_client(self, client_id: str) -> None:
        with self.desk.store.transaction(self.operator) as work:
            work.session.execute(delete(ClientRow).where(ClientRow.client_id == client_id))
            work.changed("client", client_id)

    def rows(self, statement: str, **bound: Any) -> list[Any]:
        """What a statement of plain SQL reads."""
        with self.desk.store.connect() as connection:
            return list(connection.execute(text(statement), bound))

    @property
    def http(self) -> httpx.Client:
        """An HTTP client of the app in this process: no socket, no feed to wait for."""
        if self._http is None:
            self._http = httpx.Client(
                transport=httpx.WSGITransport(self.app), base_url=self.services.settings.issuer
            )
        return self._http

    def _name(self, what: str) -> str:
        return f"{what} {next(self._count)}"


@contextmanager
def installed(directory: Path, database_url: str | None = None, **environ: str) -> Iterator[Any]:
    """A prepared installation in ``directory``; settings by their variables' names."""
    directory.mkdir(parents=True, exist_ok=True)
    url = database_url or f"sqlite:///{directory / 'keyturn.db'}"
    installation = Installation(directory, url, environ)
    try:
        installation.prepare()
        yield installation
    finally:
        installation.close()


def process_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of ours: nothing of Keyturn's but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYTURN_")}
    return {**kept, "FLASK_APP": "wsgi.py", "PYTHONUNBUFFERED": "1", **environ}
