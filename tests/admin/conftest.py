"""An installation on each kind of database, and actors of every sort."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from app.admin import proofs
from app.builtin import administration
from app.records import Actor
from keyturn.limits.values import Limit
from keyturn.scope import ScopeSet
from tests.support import people
from tests.support.installation import Installation, installed
from tests.support.people import signed_in

EVERYTHING = tuple(administration(operator=False))
"""What the administrator of an ordinary organization holds."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request, tmp_path_factory):
    """One installation a module on each kind of database; a test makes its own organizations."""
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create()
    with installed(tmp_path_factory.mktemp("admin"), url) as made:
        yield made


@pytest.fixture(scope="module")
def postgres_house(postgres, tmp_path_factory):
    """The same on PostgreSQL alone: where writers really run beside each other."""
    with installed(tmp_path_factory.mktemp("admin"), postgres.create()) as made:
        yield made


class Tenant:
    """An organization with declared scopes, and actors in it."""

    def __init__(self, house: Installation, **also: Any) -> None:
        scopes = {
            "rooms:read": (),
            "rooms:create": (),
            "rooms:write": ("rooms:create",),
            "desks:read": (),
        }
        self.house = house
        self.desk = house.desk
        self.id = house.organization(scopes=scopes, **also)
        self.administrator = self.actor(EVERYTHING)

    def actor(self, scopes: Iterable[str], **also: Any) -> Actor:
        """Somebody of this organization who holds these scopes."""
        values: dict[str, Any] = {
            "type": "user",
            "id": "usr_somebody",
            "organization_id": self.id,
            "is_operator": False,
        }
        return Actor(**(values | also), scopes=ScopeSet.of(scopes))

    def events(self, type: str) -> list[Any]:
        """Audit events of this type, the oldest first."""
        return self.house.rows(
            "SELECT * FROM audit_events WHERE organization_id = :id AND type = :type ORDER BY id",
            id=self.id,
            type=type,
        )


@pytest.fixture
def tenant(house):
    return Tenant(house)


@pytest.fixture
def other(house):
    """Somebody else's organization in the same installation."""
    return Tenant(house)


@pytest.fixture
def flask(installation):
    """``flask ARGUMENTS`` in this process; ``.ok()`` and ``.json()`` want exit status 0."""
    runner = installation.app.test_cli_runner()

    class Flask:
        def __call__(self, *arguments, stdin=None):
            return runner.invoke(args=list(arguments), input=stdin)

        def ok(self, *arguments, **also):
            result = self(*arguments, **also)
            assert result.exit_code == 0, result.output
            return result.stdout

        def json(self, *arguments, **also):
            return json.loads(self.ok(*arguments, "--json", **also))

        def refused(self, *arguments, **also):
            result = self(*arguments, **also)
            assert result.exit_code == 1, result.output
            assert result.stdout == ""
            assert len(result.stderr.splitlines()) == 1
            assert result.stderr.startswith("keyturn: ")
            return result.stderr

    return Flask()


@pytest.fixture
def person(house):
    """An owner of the operator organization who has just chosen a password."""
    return signed_in(house)


@pytest.fixture
def a_long_minute(monkeypatch):
    """A test must not depend on whether the next minute begins in it."""
    monkeypatch.setattr(proofs, "OF_ACCOUNT", (Limit(5, "day"),))


@pytest.fixture
def enrolled(house):
    """The same with a second factor: person, the app, and the recovery codes."""
    return people.enrolled(house)
