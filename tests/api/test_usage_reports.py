"""POST /v1/usage/reports: what verifiers have seen counts once, and only where it may."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.support import fields_of

NUMBERS = itertools.count(1)


def hours_ago(hours):
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
    return hour.isoformat().replace("+00:00", "Z")


def entry(credential, **also):
    return {"credential_id": credential, "bucket": hours_ago(1), "count": 3} | also


def report(*entries, **also):
    return {"id": f"report-{next(NUMBERS):016}", "entries": list(entries)} | also


@pytest.fixture(scope="module")
def owner(tenant):
    return tenant()


@pytest.fixture(scope="module")
def reporter(installation, owner, api):
    """A resource server's credential: it may ask about keys, and tell of them."""
    key = installation.api_key(["keyturn:introspect"], organization=owner.organization_id)
    return api(key.key)


@pytest.fixture
def key(installation, owner):
    return installation.api_key(["rooms:read"], organization=owner.organization_id)


@pytest.fixture
def send(reporter):
    def post(body, by=None):
        response = (by or reporter).post("/v1/usage/reports", json=body)
        assert response.status_code == 200, response.text
        assert response.json()["id"] == body["id"]
        return response.json()["accepted"], response.json()["ignored"]

    return post


@pytest.fixture
def counted(installation):
    def read(credential_id):
        return {
            tuple(row)
            for row in installation.rows(
                "SELECT route_class, outcome, count FROM usage_counts WHERE credential_id = :id",
                id=credential_id,
            )
        }

    return read


def test_what_was_seen_is_counted(installation, send, counted, key, owner):
    network = "192.0.2.0/24"
    sent = report(
        entry(key.id, route_class="booking", scope="rooms:read", network=network),
        entry(key.id, route_class="booking", count=4),
        entry(key.id, outcome="limited"),
        entry(key.id, outcome="refused"),
    )
    assert send(sent) == (4, 0)
    assert counted(key.id) == {("booking", "success", 7), ("", "limited", 3), ("", "refused", 3)}
    [scope] = installation.rows("SELECT * FROM usage_scopes WHERE credential_id = :id", id=key.id)
    assert (scope.scope, scope.last_issued_at) == ("rooms:read", None)
    [seen] = installation.rows("SELECT * FROM usage_networks WHERE credential_id = :id", id=key.id)
    assert (seen.network, seen.count, seen.organization_id) == (network, 3, owner.organization_id)
    # Of an hour that is over nobody knows more than when it ended.
    assert owner.admin.get(f"/v1/api-keys/{key.id}").json()["last_used_at"] == hours_ago(0)


def test_a_client_counts_as_a_key_does(installation, send, counted, owner):
    client_id = installation.client(["rooms:read"], organization=owner.organization_id).client_id
    assert send(report(entry(client_id))) == (1, 0)
    assert counted(client_id) == {("", "success", 3)}
    assert owner.admin.get(f"/v1/clients/{client_id}").json()["last_used_at"] == hours_ago(0)


def test_a_repeated_report_counts_once_and_is_answered_alike(send, counted, key):
    sent = report(entry(key.id), entry("key_nobodys"))
    assert [send(sent) for _ in range(3)] == [(1, 1)] * 3
    assert counted(key.id) == {("", "success", 3)}
    with ThreadPoolExecutor(4) as pool:
        again = report(entry(key.id))
        assert list(pool.map(send, [again] * 4)) == [(1, 0)] * 4
    assert counted(key.id) == {("", "success", 6)}


def test_two_reporters_may_use_the_same_id(installation, send, counted, key, owner, api):
    other = installation.api_key(["keyturn:introspect"], organization=owner.organization_id)
    sent = report(entry(key.id))
    assert send(sent) == send(sent, by=api(other.key)) == (1, 0)
    assert counted(key.id) == {("", "success", 6)}


def test_another_organizations_credential_is_as_unknown_as_one_that_never_was(
    installation, send, counted, tenant, operator
):
    theirs = installation.api_key(["rooms:read"], organization=tenant().organization_id)
    for credential_id in (theirs.id, "key_nobodys"):
        assert send(report(entry(credential_id))) == (0, 1)
    assert counted(theirs.id) == set()
    # The operator's API sees all of them, as with introspection.
    assert send(report(entry(theirs.id)), by=operator.admin) == (1, 0)
    narrow = installation.api_key(["keyturn:introspect"])
    assert send(report(entry(theirs.id)), by=type(operator.admin)(
        installation, operator.admin.description, narrow.key)) == (0, 1)  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "is_counted"), [(0, True), (160, True), (170, False), (-3, False)]
)
def test_what_is_too_old_or_to_come_is_ignored(send, key, hours, is_counted):
    assert send(report(entry(key.id, bucket=hours_ago(hours)))) == (
        (1, 0) if is_counted else (0, 1)
    )


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"count": 0}, "entries.0.count"),
        ({"count": 10**10}, "entries.0.count"),
        ({"count": "3"}, "entries.0.count"),
        ({"bucket": "2026-01-01T00:30:00Z"}, "entries.0.bucket"),
        ({"bucket": "2026-01-01"}, "entries.0.bucket"),
        ({"route_class": "Booking"}, "entries.0.route_class"),
        ({"route_class": "keyturn:token"}, "entries.0.route_class"),
        ({"route_class": "x" * 33}, "entries.0.route_class"),
        ({"scope": 'a"b'}, "entries.0.scope"),
        ({"scope": "a:b " * 100}, "entries.0.scope"),
        ({"outcome": "fine"}, "entries.0.outcome"),
        ({"network": "192.0.2.1"}, "entries.0.network"),
        ({"network": "192.0.2.1/24"}, "entries.0.network"),
        ({"network": "192.0.0.0/16"}, "entries.0.network"),
        ({"network": "2001:db8::/32"}, "entries.0.network"),
        ({"credential_id": "k" * 65}, "entries.0.credential_id"),
        ({"ip": "192.0.2.1"}, "entries.0.ip"),
    ],
)
def test_what_cannot_be_is_named(reporter, counted, key, wrong, field):
    response = reporter.post("/v1/usage/reports", json=report(entry(key.id, **wrong)))
    assert (response.status_code, fields_of(response)) == (400, [field])
    assert counted(key.id) == set()


@pytest.mark.parametrize(
    "also", [{"id": "short"}, {"id": "x" * 65}, {"id": "a b" * 8}, {"entries": []}]
)
def test_a_report_has_an_id_and_entries(reporter, key, also):
    response = reporter.post("/v1/usage/reports", json=report(entry(key.id), **also))
    assert (response.status_code, fields_of(response)) == (400, list(also))


def test_the_largest_report_fits_and_a_larger_one_is_refused(reporter, key):
    longest = entry(
        key.id.ljust(64, "x"), count=10**9, route_class="x" * 32, scope=" ".join(["s" * 127] * 2),
        network="2001:dead:beef::/48",
    )  # fmt: skip
    largest = report(*[longest] * 100)
    assert reporter.post("/v1/usage/reports", json=largest).status_code == 200
    response = reporter.post("/v1/usage/reports", json=report(*[longest] * 101))
    assert (response.status_code, fields_of(response)) == (400, ["entries"])


def test_a_use_from_another_network_is_an_event(installation, send, key):
    first, second = "192.0.2.0/24", "2001:db8:1::/48"
    for network in (first, first, None, second, first):
        send(report(entry(key.id, network=network)))
    found = installation.rows(
        "SELECT * FROM audit_events WHERE type = 'api_key.new_network' AND target_id = :id",
        id=key.id,
    )
    assert [(event.actor_id, json.loads(event.details)) for event in found] == [
        (key.id, {"network": second, "known": 1})
    ]
