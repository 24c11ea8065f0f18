"""When a credential was used last: as the journal says it, and never backwards."""

import time
from datetime import UTC, datetime, timedelta

from app.storage.shipping import ship
from tests.storage.journals import a_line, ask, segment


def last_used(installation, client_id):
    rows = installation.rows(
        "SELECT c.last_used_at, s.last_used_at FROM clients c "
        "JOIN client_secrets s ON s.client_id = c.client_id WHERE c.client_id = :id",
        id=client_id,
    )
    times = []
    for value in rows[0]:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if value is not None and value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
        times.append(value)
    return times


def test_last_use_arrives_and_never_goes_backwards(any_installation, journal):
    client = any_installation.client()
    assert last_used(any_installation, client.client_id) == [None, None]
    before = datetime.now(UTC)
    ask(any_installation, client)
    any_installation.services.shipper.ship_now()
    arrived = last_used(any_installation, client.client_id)
    assert arrived[0] == arrived[1]
    assert before - timedelta(seconds=1) < arrived[0] < datetime.now(UTC) + timedelta(seconds=1)

    # A segment of a worker that died an hour ago is found only now.
    ((secret_id,),) = any_installation.rows(
        "SELECT id FROM client_secrets WHERE client_id = :id", id=client.client_id
    )
    old = a_line(
        5,
        actor_id=client.client_id,
        time=time.time_ns() - 3600 * 10**9,
        details={"secret_id": secret_id},
    )
    segment(any_installation, old)
    assert ship(journal, any_installation.desk.store) == 1
    assert last_used(any_installation, client.client_id) == arrived


def test_a_keys_last_use_is_noted_when_somebody_asks_about_it(any_installation):
    api = any_installation.client(["keyturn:introspect"])
    key = any_installation.api_key()
    http = any_installation.http

    def noted():
        any_installation.services.shipper.ship_now()
        ((value,),) = any_installation.rows(
            "SELECT last_used_at FROM api_keys WHERE id = :id", id=key.id
        )
        return value

    assert noted() is None
    http.post("/oauth/introspect", data={"token": key.key + "x"}, auth=api)
    assert noted() is None
    http.post("/oauth/introspect", data={"token": key.key}, auth=api)
    assert noted() is not None


def test_only_the_secret_that_was_used_was_used(any_installation):
    client = any_installation.client()
    second = any_installation.secret(client.client_id)
    ask(any_installation, client._replace(client_secret=second.client_secret))
    any_installation.services.shipper.ship_now()
    used = any_installation.rows(
        "SELECT id FROM client_secrets WHERE client_id = :id AND last_used_at IS NOT NULL",
        id=client.client_id,
    )
    assert [row.id for row in used] == [second.id]
