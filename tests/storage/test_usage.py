"""Usage from the journal: counted in the batch that ships it, each event once."""

import json
import time
from datetime import UTC, datetime

import pytest

from app.admin import usage_reports
from app.storage.journal import Journal
from app.storage.shipping import REJECTED, ship

HOUR = 3600 * 10**9
ADDRESS, NEIGHBOUR, ELSEWHERE = "192.0.2.1", "192.0.2.200", "2001:db8:7::1"


@pytest.fixture
def journal(any_installation):
    made = Journal(str(any_installation.journal_dir), 1 << 20)
    yield made
    made.close()


@pytest.fixture
def shipped(any_installation, journal):
    """``shipped(line, …)``: write these lines and ship them."""

    def write(*lines):
        for line in lines:
            journal.append(line)
        journal.seal()
        return ship(journal, any_installation.desk.store)

    return write


@pytest.fixture
def client(any_installation):
    return any_installation.client(["bookings:*"]).client_id


def a_line(installation, credential_id, number=0, **also):
    event = {
        "id": f"evt_{number:014x}{time.time_ns():016x}",
        "time": time.time_ns(),
        "type": "token.issued",
        "actor_type": "client",
        "actor_id": credential_id,
        "organization_id": installation.organization_id,
        "target_type": "token",
        "target_id": f"jti-{number}",
        "ip": ADDRESS,
        "details": {"scope": "bookings:read reports:read"},
    }
    return json.dumps(event | also).encode() + b"\n"


def counts(installation):
    return {
        (row.credential_id, row.hour, row.route_class, row.outcome): row.count
        for row in installation.rows("SELECT * FROM usage_counts")
    }


def this_hour(nanoseconds=None):
    return (nanoseconds or time.time_ns()) // HOUR


def test_each_kind_is_one_row(any_installation, shipped, client):
    now = time.time_ns()

    def line(number, **also):
        return a_line(any_installation, client, number, **{"time": now, **also})

    shipped(
        *(line(n) for n in range(5)),
        line(10, time=now - HOUR),
        line(11, type="token.refused", outcome="refused", reason="invalid_scope"),
        line(12, type="token.refused", outcome="refused", reason="rate_limited"),
        line(13, type="token.refused", outcome="refused", actor_type="anonymous", actor_id=None),
        line(14, type="api_key.used", actor_type="api_key", actor_id="key_x", details={}),
        line(15, type="api_key.used", actor_type="api_key", actor_id="key_x",
             details={"class": "booking", "scope": "bookings:read", "network": "192.0.2.0/24"}),
        line(16, type="api_key.refused", actor_type="api_key", actor_id="key_x", reason="revoked",
             outcome="refused", details={}),
        line(17, type="api_key.viewed", actor_type="user", actor_id="usr_x"),
    )  # fmt: skip
    hour = this_hour(now)
    assert counts(any_installation) == {
        (client, hour, "keyturn:token", "success"): 5,
        (client, hour - 1, "keyturn:token", "success"): 1,
        (client, hour, "keyturn:token", "refused"): 1,
        (client, hour, "keyturn:token", "limited"): 1,
        ("key_x", hour, "keyturn:introspected", "success"): 1,
        ("key_x", hour, "booking", "success"): 1,
        ("key_x", hour, "keyturn:introspected", "refused"): 1,
    }
    scopes = any_installation.rows("SELECT * FROM usage_scopes ORDER BY credential_id, scope")
    told = [(one.scope, bool(one.last_issued_at), bool(one.last_used_at)) for one in scopes]
    assert sorted(told) == [
        ("bookings:read", False, True),
        ("bookings:read", True, False),
        ("reports:read", True, False),
    ]


def test_batches_add_up_and_a_batch_shipped_twice_does_not(any_installation, journal, client):
    store = any_installation.desk.store
    for number in range(3):
        journal.append(a_line(any_installation, client, number))
    journal.close()
    (segment,) = any_installation.journal_dir.glob("*.jsonl")
    content = segment.read_bytes()
    for more in (b"", b"", a_line(any_installation, client, 7)):
        segment.write_bytes(content + more)
        ship(journal, store)
    ((_, count),) = counts(any_installation).items()
    assert count == 4


def test_a_second_network_is_told_once(any_installation, shipped, client):
    def line(number, ip):
        return a_line(any_installation, client, number, ip=ip, time=time.time_ns())

    shipped(line(1, ADDRESS), line(2, NEIGHBOUR), line(3, None))
    shipped(line(4, ELSEWHERE), line(5, ADDRESS))
    shipped(line(6, ELSEWHERE), line(7, "no address"))
    events = any_installation.rows(
        "SELECT * FROM audit_events WHERE type = 'client.new_network' ORDER BY id"
    )
    details = [
        json.loads(one.details) if isinstance(one.details, str) else one.details for one in events
    ]
    assert details == [{"network": "2001:db8:7::/48", "known": 1}]
    assert {(one.actor_id, one.target_id, one.organization_id) for one in events} == {
        (client, client, any_installation.organization_id)
    }
    seen = any_installation.rows("SELECT * FROM usage_networks ORDER BY network")
    assert [(one.network, one.count) for one in seen] == [
        ("192.0.2.0/24", 3),
        ("2001:db8:7::/48", 2),
    ]
    assert all(one.first_seen_at <= one.last_seen_at for one in seen)


def test_whoever_fails_to_prove_who_it_is_is_not_seen(any_installation, client):
    refused = any_installation.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=(client, "wrong")
    )
    assert refused.status_code == 401
    any_installation.services.shipper.ship_now()
    assert set(counts(any_installation)) == {(client, this_hour(), "keyturn:token", "refused")}
    assert any_installation.rows("SELECT * FROM usage_networks") == []
    [row] = any_installation.rows(
        "SELECT last_used_at FROM clients WHERE client_id = :id", id=client
    )
    assert row.last_used_at is None


def test_last_use_never_goes_backwards(any_installation, shipped, client):
    now = time.time_ns() // 1000 * 1000
    for moment in (now, now - HOUR):
        shipped(a_line(any_installation, client, moment, time=moment))
    [row] = any_installation.rows(
        "SELECT last_used_at FROM clients WHERE client_id = :id", id=client
    )
    last = row.last_used_at
    last = datetime.fromisoformat(last) if isinstance(last, str) else last
    assert last.replace(tzinfo=UTC).timestamp() == pytest.approx(now / 1e9, abs=1e-5)


@pytest.mark.parametrize("odd", [{"scope": ["a:b"]}, {"scope": 7}, {"class": {}}, {"network": 1}])
def test_an_event_of_another_form_is_kept_and_not_counted(any_installation, shipped, client, odd):
    assert shipped(a_line(any_installation, client, details=odd)) == 1
    assert counts(any_installation) == {}
    assert not (any_installation.journal_dir / REJECTED).exists()


def test_what_is_too_long_ago_is_forgotten(any_installation, shipped, client):
    now, year = time.time_ns(), 365 * 24 * HOUR
    old = {"time": now - 2 * year, "ip": ELSEWHERE, "details": {"scope": "bookings:cancel"}}
    shipped(a_line(any_installation, client, 1, **old), a_line(any_installation, client, 2))
    retained = any_installation.services.settings.usage_retention
    assert retained.days == 400
    usage_reports.forget(any_installation.desk.store, any_installation.services.settings)
    assert set(counts(any_installation)) == {(client, this_hour(now), "keyturn:token", "success")}
    [seen] = any_installation.rows("SELECT network FROM usage_networks")
    assert seen.network == "192.0.2.0/24"
    scopes = any_installation.rows("SELECT scope FROM usage_scopes ORDER BY scope")
    assert [one.scope for one in scopes] == ["bookings:read", "reports:read"]
