"""GET /v1/usage: counts, limits, networks and scopes, by organization and by right."""

import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.support import fields_of

NUMBERS = itertools.count(1)
THIS_HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def owner(tenant):
    return tenant()


@pytest.fixture
def flush(installation):
    """Everything that waits is written down."""

    def write():
        installation.services.shipper.ship_now()
        installation.services.uses.write()

    return write


@pytest.fixture
def key(installation, owner):
    return installation.api_key(["keyturn:usage:read"], organization=owner.organization_id)


@pytest.fixture
def report(owner):
    """``report(credential_id, hours_ago, …)``: as a resource server would."""

    def send(credential_id, hours=0, **also):
        bucket = (THIS_HOUR - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
        entry = {"credential_id": credential_id, "bucket": bucket, "count": 1, **also}
        body = {"id": f"report-{next(NUMBERS):016}", "entries": [entry]}
        assert owner.admin.post("/v1/usage/reports", json=body).json()["accepted"] == 1

    return send


def listed(api, path="/v1/usage", **params):
    """Every entry, page by page."""
    found, cursor = [], None
    while True:
        query = {name: value for name, value in {**params, "cursor": cursor}.items() if value}
        answer = api.get(path, params=query)
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


def by_class(found):
    """Of every hour together: a test may begin in one and end in the next."""
    counts = Counter()
    for one in found:
        counts[one["route_class"], one["outcome"]] += one["count"]
    return counts


def test_uses_of_our_own_api_count(api, key, flush):
    mine = api(key.key)
    statuses = [mine.get(path).status_code for path in ("/v1/me", "/v1/usage", "/v1/clients")]
    assert statuses == [200, 200, 403]
    flush()
    found = listed(mine, credential_id=key.id)
    assert by_class(found) == {("management", "success"): 2, ("management", "refused"): 1}
    assert {(one["credential_type"], one["credential_id"]) for one in found} == {
        ("api_key", key.id)
    }
    [seen] = listed(mine, "/v1/usage/networks", credential_id=key.id)
    assert (seen["network"], seen["count"]) == ("127.0.0.0/24", 3)
    [held] = listed(mine, "/v1/usage/scopes", credential_id=key.id)
    [scope] = held["scopes"]
    assert (scope["scope"], scope["unused"]) == ("keyturn:usage:read", False)
    assert scope["last_used_at"] is not None


def test_uses_at_the_oauth_endpoints_count(installation, owner, flush):
    http, own = installation.http, {"organization": owner.organization_id}
    asker = installation.client(["keyturn:introspect", "rooms:read"], **own)
    asked = installation.api_key(["rooms:read"], **own)
    form = {"grant_type": "client_credentials", "scope": "rooms:read"}
    token = http.post("/oauth/token", auth=asker, data=form).json()["access_token"]
    for presented in (token, asked.key, "nothing"):
        http.post("/oauth/introspect", auth=asker, data={"token": presented})
    http.post("/oauth/revoke", auth=asker, data={"token": token})
    flush()
    assert by_class(listed(owner.admin, credential_id=asker.client_id)) == {
        ("keyturn:token", "success"): 1,
        ("keyturn:introspect", "success"): 3,
        ("keyturn:introspected", "success"): 1,
        ("keyturn:revoke", "success"): 1,
    }
    assert by_class(listed(owner.admin, credential_id=asked.id)) == {
        ("keyturn:introspected", "success"): 1
    }
    # Where the resource server stands says nothing of whoever presented the key to it.
    assert listed(owner.admin, "/v1/usage/networks", credential_id=asked.id) == []
    secrets = owner.admin.get(f"/v1/clients/{asker.client_id}/secrets").json()["data"]
    assert secrets[0]["last_used_at"] is not None


def test_verification_counts_in_its_class(installation, owner, flush):
    made = installation.api_key(
        ["rooms:read"], organization=owner.organization_id,
        rate_limits=[{"limit": 1, "window": "day", "class": "booking"}],
    )  # fmt: skip
    body = {"key": made.key, "scopes": ["rooms:read"], "ip": "192.0.2.9", "route_class": "booking"}
    for also in (
        {},
        {},
        {"route_class": "free", "scopes": ["rooms:write"]},
        {"route_class": "k:t"},
    ):
        owner.admin.post("/v1/api-keys/verify", json=body | also)
    flush()
    assert by_class(listed(owner.admin, credential_id=made.id)) == {
        ("booking", "success"): 1,
        ("booking", "limited"): 1,
        ("free", "refused"): 1,
        ("", "success"): 1,
    }
    [seen] = listed(owner.admin, "/v1/usage/networks", credential_id=made.id)
    assert (seen["network"], seen["count"]) == ("192.0.2.0/24", 4)


def test_by_hour_and_by_day_and_page_by_page(installation, owner, report):
    one, other = (installation.api_key(["rooms:read"], organization=owner.organization_id).id
                  for _ in range(2))  # fmt: skip
    for hours in (0, 1, 1, 30):
        report(one, hours)
        report(other, hours, route_class="booking", count=2)

    def seen(**params):  # not what it takes to ask
        found = listed(owner.admin, **params)
        return [entry for entry in found if entry["route_class"] != "management"]

    everything = seen(limit=1)
    keys = [(entry["bucket"], entry["credential_id"]) for entry in everything]
    assert len(keys) == 6
    assert keys == sorted(
        keys, key=lambda key: (-datetime.fromisoformat(key[0]).timestamp(), key[1])
    )
    days = seen(interval="day", credential_id=other, limit=1)
    assert sum(entry["count"] for entry in days) == 8
    assert all(entry["bucket"].endswith("T00:00:00Z") for entry in days)
    assert len({entry["bucket"] for entry in days}) == len(days) >= 2
    since = (THIS_HOUR - timedelta(hours=1)).isoformat()
    assert len(seen(since=since)) == 4
    assert len(seen(since=since, until=THIS_HOUR.isoformat())) == 2
    assert len(seen(route_class="booking")) == 3
    assert seen(outcome="limited") == []


def test_limits_and_when_they_reset(api, installation, owner):
    made = installation.api_key(
        ["keyturn:usage:read"], organization=owner.organization_id,
        rate_limits=[{"limit": 5, "window": "day"},
                     {"limit": 3, "window": "minute", "class": "booking"}],
    )  # fmt: skip
    mine = api(made.key)
    states = mine.get("/v1/usage").json()["limits"]
    assert {
        (one["route_class"], one["limit"], one["used"], one["remaining"]) for one in states
    } == {
        (None, 5, 1, 4),
        ("booking", 3, 0, 3),
    }
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    day = next(one for one in states if one["window"] == "day")
    assert datetime.fromisoformat(day["resets_at"]).date() == tomorrow
    params = {"credential_id": made.id}
    assert owner.admin.get("/v1/usage", params=params).json()["limits"] == states
    assert owner.admin.get("/v1/usage").json()["limits"] == []


def test_unused_scopes(installation, owner, report, flush):
    own = {"organization": owner.organization_id}
    client = installation.client(["rooms:*"], **own)
    key = installation.api_key(["rooms:read", "rooms:write"], **own)
    installation.http.post("/oauth/token", auth=client, data={"grant_type": "client_credentials"})
    flush()
    report(key.id, scope="rooms:read")
    table = "UPDATE {} SET created_at = '2020-01-01 00:00:00' WHERE {} = :id"
    with installation.desk.store.begin() as connection:
        connection.exec_driver_sql(table.format("api_keys", "id"), {"id": key.id})
        connection.exec_driver_sql(table.format("clients", "client_id"), {"id": client.client_id})

    def unused(days):
        return {
            (one["credential_id"], held["scope"])
            for one in listed(owner.admin, "/v1/usage/scopes", unused_days=days, limit=1)
            for held in one["scopes"]
            if held["unused"]
        }

    # In a token alone, a scope is not needed yet.
    idle = {
        (key.id, "rooms:write"),
        (client.client_id, "rooms:read"),
        (client.client_id, "rooms:write"),
    }
    assert unused(30) == idle
    assert unused(3660) == set()
    [held] = listed(owner.admin, "/v1/usage/scopes", credential_id=client.client_id)
    assert all(scope["last_issued_at"] for scope in held["scopes"])


@pytest.mark.parametrize("path", ["/v1/usage", "/v1/usage/networks", "/v1/usage/scopes"])
def test_another_organizations_usage_is_not_there(
    installation, tenant, operator, owner, report, path
):
    made = installation.api_key(["rooms:read"], organization=owner.organization_id)
    report(made.id, network="192.0.2.0/24")
    stranger, params = tenant().admin, {"organization_id": owner.organization_id}
    assert stranger.get(path, params=params).status_code == 404
    assert listed(stranger, path, credential_id=made.id) == []
    assert any(one["credential_id"] == made.id for one in listed(operator.admin, path, **params))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("interval=week", "interval"),
        ("outcome=fine", "outcome"),
        ("cursor=eA", "cursor"),
        ("since=yesterday", "since"),
        ("credential_id=a%20b", "credential_id"),
        ("no=such", "no"),
    ],
)
def test_what_cannot_be_asked_is_named(operator, query, field):
    response = operator.admin.get(f"/v1/usage?{query}")
    assert (response.status_code, fields_of(response)) == (400, [field])


def test_the_command_line_shows_the_same(installation, owner, report):
    made = installation.api_key(["rooms:read"], organization=owner.organization_id)
    report(made.id, network="192.0.2.0/24", scope="rooms:read")
    invoke = installation.app.test_cli_runner().invoke

    def run(*arguments):
        done = invoke(args=["usage", *arguments, "--org", owner.organization_id])
        assert done.exit_code == 0, done.output
        return done.stdout

    for command, path in (("counts", ""), ("networks", "/networks"), ("scopes", "/scopes")):
        printed = json.loads(run(command, "--json", "--credential", made.id))["data"]
        [entry], [answered] = printed, listed(
            owner.admin, f"/v1/usage{path}", credential_id=made.id
        )  # fmt: skip
        assert entry["credential_id"] == made.id
        assert entry.keys() == answered.keys()
        assert "credential_id" in run(command, "--credential", made.id)
    assert json.loads(run("limits", made.id, "--json"))["data"] == []
