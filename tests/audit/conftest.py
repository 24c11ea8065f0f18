"""Exports of real installations, and whoever checks them with nothing but the public keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.admin import audit_export, audit_verify
from app.crypto.signing import ALGORITHMS
from app.storage.canonical import stream_of
from app.storage.chain import EVENTS
from app.storage.shipping import LANE
from app.tokens.upkeep import Upkeep
from keyturn.jwks import FixedKeys

INSTALLATION = "installation"


class Audited:
    """An installation seen by its auditor."""

    def __init__(self, installation: Any) -> None:
        self.installation = installation

    @property
    def store(self) -> Any:
        return self.installation.services.store

    @property
    def upkeep(self) -> Upkeep:
        return self.installation.services.upkeep

    def export(self, **also: Any) -> list[bytes]:
        """The lines; of every chain, unless one organization is named."""
        also.setdefault("everything", "organization_id" not in also)
        return list(audit_export.export(self.installation.desk, self.installation.operator, **also))

    def checkpoint(self) -> list[Any]:
        return audit_export.checkpoint(self.installation.desk, self.installation.operator)

    def jwks(self) -> dict[str, Any]:
        found: dict[str, Any] = self.installation.http.get("/.well-known/jwks.json").json()
        return found

    def keys(self) -> FixedKeys:
        return FixedKeys.of_jwks(self.jwks(), ALGORITHMS)

    def verify(self, lines: list[bytes] | None = None, **also: Any) -> audit_verify.Report:
        return audit_verify.verify(
            self.export() if lines is None else lines, also.pop("keys", self.keys()), **also
        )

    def assert_whole(self) -> audit_verify.Report:
        report = self.verify()
        assert report.findings == ()
        return report

    @property
    def shipped(self) -> str:
        """The operator's chain to which this node appends token events."""
        return stream_of(self.installation.organization_id, LANE)

    def chain(self, stream: str | None = None) -> list[Any]:
        """Rows of a chain (by default of the operator's administrative acts), in order."""
        stream = stream or self.installation.organization_id
        with self.store.connect() as connection:
            return list(
                connection.execute(
                    EVENTS.select().where(EVENTS.c.stream == stream).order_by(EVENTS.c.sequence)
                )
            )

    def execute(self, statement: str, **bound: Any) -> None:
        """What somebody does to the database who should not be there."""
        from sqlalchemy import text

        with self.store.begin() as connection:
            connection.execute(text(statement), bound)

    def tokens(self, count: int, client: Any = None) -> list[str]:
        """Obtain that many tokens, and ship what the journal holds of them."""
        client = client or self.installation.client()
        made = []
        for _ in range(count):
            answer = self.installation.http.post(
                "/oauth/token", data={"grant_type": "client_credentials"}, auth=client
            )
            assert answer.status_code == 200, answer.text
            made.append(answer.json()["access_token"])
        self.ship()
        return made

    def ship(self) -> None:
        self.installation.services.shipper.ship_now()

    def at(self, time: datetime) -> None:
        """Let it be that late for everything that the store does."""
        self.store.clock = lambda: time

    def later(self, **by: float) -> datetime:
        now: datetime = self.store.clock() + timedelta(**by)
        self.at(now)
        return now


def events_of(lines: list[bytes]) -> list[dict[str, Any]]:
    return [entry["event"] for entry in map(json.loads, lines) if "event" in entry]


def checkpoints_of(lines: list[bytes]) -> list[str]:
    return [entry["checkpoint"] for entry in map(json.loads, lines) if "checkpoint" in entry]


@pytest.fixture
def audited(any_installation):
    """On each kind of database."""
    return Audited(any_installation)


@pytest.fixture
def start_of_day():
    return datetime(2030, 5, 17, 0, 30, tzinfo=UTC)
