"""What names a scope or an audience is kept by the database, whoever writes clients and keys."""

import json

import pytest
from flask_migrate import downgrade, upgrade

from app.admin import clients, resources, scopes
from app.apikeys import endings, lifecycle, succession
from app.errors import Conflict

STANDS = ("active", "disabled")


def kept(made):
    return sorted(tuple(row) for row in made.rows("SELECT * FROM namings"))


def named(made):
    """The same, out of the lists of clients and keys themselves."""
    lists = "SELECT organization_id, client_id, scopes, audiences FROM clients"
    keys = "SELECT organization_id, id, scopes, status FROM api_keys"
    found = []
    for owner, client, held, audiences in made.rows(lists):
        found += [(owner, name, "client", client) for name in listed(held)]
        found += [(owner, name, "audience", client) for name in listed(audiences)]
    for owner, key, held, status in made.rows(keys):
        found += [(owner, name, "api_key", key) for name in listed(held) if status in STANDS]
    return sorted(found)


def listed(value):
    return json.loads(value) if isinstance(value, str) else value


@pytest.fixture
def used(any_installation):
    """Clients and keys that were made, changed and ended."""
    made, desk, operator = any_installation, any_installation.desk, any_installation.operator
    made.resource("urn:rooms")
    first = made.client(["bookings:read", "bookings:write"], audiences=["urn:rooms"]).client_id
    second = made.client(["bookings:*"]).client_id
    third = made.client(["reports:read"]).client_id
    clients.update(desk, operator, first, clients.ClientChanges(scopes=["bookings:read"]))
    clients.update(desk, operator, second, clients.ClientChanges(name="Another name"))
    clients.delete(desk, operator, third)
    keys = [made.api_key(["bookings:read", "reports:read"]).id for _ in range(4)]
    lifecycle.disable(desk, operator, keys[0])
    endings.revoke(desk, operator, keys[1])
    succession.rotate(desk, operator, keys[2])
    return made


def test_it_is_what_the_lists_say(used):
    assert len(kept(used)) > 8
    assert kept(used) == named(used)


def test_what_an_older_node_writes_is_kept_too(used):
    """It knows nothing of the table."""
    with used.desk.store.begin() as connection:
        for statement in (
            """UPDATE clients SET scopes = '["reports:read"]'""",
            "UPDATE clients SET audiences = '[]'",
            """UPDATE api_keys SET scopes = '["bookings:cancel"]', status = 'active'""",
        ):
            connection.exec_driver_sql(statement)
    assert {name for _, name, *_ in kept(used)} == {"reports:read", "bookings:cancel"}
    assert kept(used) == named(used)
    with used.desk.store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM api_keys")
    assert {name for _, name, *_ in kept(used)} == {"reports:read"}


def test_the_migration_writes_down_what_there_is(used):
    before = kept(used)
    with used.app.app_context():
        downgrade(revision="0020")
        upgrade()
    assert kept(used) == before == named(used)


def test_nothing_is_removed_that_is_named(used):
    desk, operator = used.desk, used.operator
    for name in ("bookings:read", "reports:read"):
        with pytest.raises(Conflict, match="Still named by"):
            scopes.remove(desk, operator, name)
    [resource] = resources.list_page(desk, operator).data
    with pytest.raises(Conflict, match="Still an audience"):
        resources.delete(desk, operator, resource.id)
    scopes.remove(desk, operator, "bookings:cancel")
