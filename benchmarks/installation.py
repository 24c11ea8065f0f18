"""A temporary installation: made by ``flask bootstrap`` and the use cases, as a real one is."""

from __future__ import annotations

import os
import sqlite3
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, func, insert, literal, select, true

from app import create_app
from app.admin import clients, resources, scopes
from app.admin.operator import command_line
from app.apikeys import lifecycle
from app.apikeys.values import NewApiKey
from app.ids import new_jti, new_request_id
from app.records import Client, Origin
from app.settings import Settings
from app.storage.models import AuditEventRow, ClientRow, ClientSecretRow
from app.storage.shipping import ship
from app.tokens.journal import TokenJournal
from app.wiring import Services, services
from benchmarks.load import post
from keyturn.apikey import key_digest

ROOT = Path(__file__).parent.parent
TOKEN_PATH, INTROSPECT_PATH = "/oauth/token", "/oauth/introspect"
FORM = b"grant_type=client_credentials&scope=bookings%3Aread+bookings%3Awrite"
AUDIENCE = "https://bookings.example.com"
SCOPES = ("bookings:read", "bookings:write", "bookings:cancel")


LIMITED = {"KEYTURN_TOKEN_RATE_LIMIT": "100000000/minute"}
"""Each client's tokens counted, too; without a limit nothing is."""

_SEGMENT = 10_000
_SUFFIX = "%07d"


class Credentials(NamedTuple):
    """A client that may ask for every scope of ``FORM``."""

    client_id: str
    client_secret: str

    @property
    def basic(self) -> str:
        """The ``Authorization`` header."""
        return "Basic " + b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()

    @property
    def token_request(self) -> bytes:
        """The raw HTTP request."""
        return post(TOKEN_PATH, FORM, self.basic)


class Copies(Sequence[Credentials]):
    """The credentials of clients that ``fill`` has made; a million of them take no memory."""

    def __init__(self, model: Credentials, count: int) -> None:
        self.model, self._count = model, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < self._count:
            raise IndexError(number)
        suffix = _SUFFIX % number
        return Credentials(self.model.client_id + suffix, self.model.client_secret + suffix)


class Installation:
    """One database, keys and journal below a directory; and the app over them in this process."""

    def __init__(self, directory: Path, **environ: str) -> None:
        self.journals = directory / "journals"
        self.environ = {
            "KEYTURN_DATABASE_URL": f"sqlite:///{directory / 'keyturn.db'}",
            "KEYTURN_KEYS_DIR": str(directory / "keys"),
            "KEYTURN_JOURNAL_DIR": str(self.journals / "here"),
            "KEYTURN_COUNTERS_FILE": str(directory / "counters"),
            "KEYTURN_METRICS_DIR": str(directory / "metrics"),
            # Counted, and never reached: all of the load comes from one address.
            "KEYTURN_FAILED_AUTHENTICATION_LIMIT": "100000000/minute",
            **environ,
        }
        self.app = create_app(Settings.from_env(self.environ))
        with self.app.app_context():  # as Flask's own entry does, without its process
            begun = self.app.test_cli_runner().invoke(args=["bootstrap"])
        if begun.exit_code:
            raise RuntimeError(f"flask bootstrap: {begun.output}")
        self._asked: Client | None = None
        desk = self.services.desk
        self._actor = command_line(desk)
        for name in SCOPES:
            scopes.add(desk, self._actor, scopes.NewScope(name=name))
        new = resources.NewResource(identifier=AUDIENCE, scopes=["bookings:*"])
        resources.create(desk, self._actor, new)

    @property
    def services(self) -> Services:
        return services(self.app)

    def client(self, name: str = "bench", scopes: Sequence[str] = SCOPES) -> Credentials:
        """A new client, by the use case behind CLI and API."""
        new = clients.NewClient(name=name, scopes=scopes)
        made = clients.create(self.services.desk, self._actor, new)
        return Credentials(made.client.client_id, made.client_secret or "")

    def api_key(self) -> str:
        """A new API key, by the same way."""
        new = NewApiKey(name="bench", scopes=SCOPES)
        return lifecycle.create(self.services.desk, self._actor, new).key

    def token(self, client: Credentials) -> str:
        """An access token, issued in this process."""
        answer = self.app.test_client().post(
            TOKEN_PATH, data=FORM, headers={"Authorization": client.basic},
            content_type="application/x-www-form-urlencoded",
        )  # fmt: skip
        token: str = answer.get_json()["access_token"]
        return token

    def fill(self, count: int) -> Copies:
        """``count`` more clients, copied from one by the database: a use case each takes hours."""
        copies = Copies(self.client("model"), count)
        with self.services.store.begin() as connection:
            driver = cast("sqlite3.Connection", connection.connection.driver_connection)
            driver.create_function("digest_of", 1, key_digest, deterministic=True)
            numbers = select(literal(0).label("n")).cte("numbers", recursive=True)
            numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < count - 1))
            suffix = func.printf(_SUFFIX, numbers.c.n)
            changed = {
                "id": ClientSecretRow.id + suffix,
                "client_id": copies.model.client_id + suffix,
                "digest": func.digest_of(copies.model.client_secret + suffix),
            }
            for row in (ClientRow, ClientSecretRow):
                table = cast("Table", row.__table__)
                values = [changed.get(column.name, column) for column in table.c]
                model = select(*values).where(table.c.client_id == copies.model.client_id)
                each = model.select_from(table).join(numbers, true())
                connection.execute(insert(table).from_select(list(table.c), each))
        with self.services.store.connect() as connection:
            # As after a while: reads that must look into a long log beside it are slower.
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return copies

    def history(self, count: int) -> None:
        """The events of ``count`` tokens in the audit log."""
        for begun in range(0, count, _SEGMENT):
            self.journal(min(_SEGMENT, count - begun))
            self.ship()

    def journal(self, count: int) -> None:
        """The events of ``count`` tokens in the journal, as if these had been issued."""
        found = self.services
        if self._asked is None:
            self._asked = found.directory.client(self.client("history").client_id)
        client, journal = cast("Client", self._asked), TokenJournal(found.journal)
        details = {"scope": " ".join(SCOPES), "aud": AUDIENCE, "exp": 0, "env": "live"}
        for _ in range(count):
            origin = Origin(new_request_id(), "127.0.0.1", "python-requests/2.32.5")
            journal.issued(time.time_ns(), client, new_jti(), origin, details)

    def ship(self) -> int:
        """Move the journal to the database; answers how many events."""
        self.services.journal.seal()
        return ship(self.services.journal, self.services.store)

    def tokens_in_log(self, patience: float = 30.0) -> int:
        """How many tokens the audit log knows, once the servers have shipped their journals."""
        until = time.monotonic() + patience
        while any(self.journals.glob("*/*.jsonl")) and time.monotonic() < until:
            time.sleep(0.1)
        counted = select(func.count()).where(AuditEventRow.type == "token.issued")
        with self.services.store.connect() as connection:
            return connection.execute(counted).scalar_one()

    def beside(self, **environ: str) -> Any:
        """Another app over the same database, as another worker with other settings would be."""
        return create_app(Settings.from_env({**self.environ, **environ}))

    def close(self) -> None:
        """End what runs in this process."""
        self.services.stop()
        self.services.store.engine.dispose()


def process_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server: nothing of Keyturn's but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYTURN_")}
    return {**kept, "FLASK_APP": "wsgi.py", **environ}
