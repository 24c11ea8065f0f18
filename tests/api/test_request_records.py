"""GET /v1/usage/requests: the usage log of a credential, from /v1 itself and from other APIs."""

import csv
import io
import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest

from app.admin import pages
from app.storage import request_records
from tests.api.support import fields_of
from tests.support.installation import installed

NUMBERS = itertools.count(1)
PATH = "/v1/usage/requests"


@pytest.fixture
def owner(tenant):
    return tenant()


@pytest.fixture
def key(installation, owner):
    return installation.api_key(["rooms:read"], organization=owner.organization_id)


def ago(**time):
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


def request(key, **also):
    return {
        "credential_id": key.id,
        "at": ago(minutes=1),
        "method": "GET",
        "route": "/rooms/{id}",
        "status": 200,
        "latency_ms": 12.5,
        "ip": "192.0.2.1",
        "user_agent": "curl/8",
        "request_id": "r-1",
    } | also


@pytest.fixture
def report(owner):
    def send(*requests, by=None, **also):
        body = {"id": f"requests-{next(NUMBERS):016}", "requests": list(requests)} | also
        return (by or owner.admin).post("/v1/usage/reports", json=body)

    return send


def log_of(api, **params):
    """All of the log that fits, page by page, but for what it takes to read it."""
    found, cursor = [], None
    while True:
        query = {name: value for name, value in {**params, "cursor": cursor}.items() if value}
        answer = api.get(PATH, params=query)
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return [one for one in found if not one["route"].startswith("/v1/usage")]


@pytest.mark.row("S2-43")
def test_what_a_resource_server_reports_is_in_the_log(owner, key, report):
    sent = request(key)
    answer = report(sent, request(key, status=403, outcome="refused", reason="insufficient_scope"))
    assert (answer.json()["accepted"], answer.json()["ignored"]) == (2, 0)
    found = log_of(owner.admin, credential_id=key.id, limit=1)
    assert [one["status"] for one in found] == [403, 200]
    [first] = log_of(owner.admin, credential_id=key.id, outcome="success")
    assert first.pop("id").startswith("rec_")
    assert datetime.fromisoformat(first.pop("at")) == datetime.fromisoformat(sent.pop("at"))
    sent |= {"outcome": "success", "reason": None, "credential_type": "api_key"}
    assert first == sent


@pytest.mark.row("S2-43")
def test_every_filter(owner, key, report):
    other = request(
        key, method="POST", route="/rooms", status=429, ip="2001:db8::1", request_id="r-2",
        outcome="limited", reason="rate_limited", at=ago(minutes=2),
    )  # fmt: skip
    report(request(key), other)
    everything = log_of(owner.admin, credential_id=key.id)
    assert [one["request_id"] for one in everything] == ["r-1", "r-2"]
    for name in ("method", "route", "status", "ip", "request_id", "outcome", "reason"):
        assert [one["request_id"] for one in log_of(owner.admin, **{name: other[name]})] == ["r-2"]
    then = everything[1]["at"]
    assert [one["request_id"] for one in log_of(owner.admin, until=everything[0]["at"])] == ["r-2"]
    assert len(log_of(owner.admin, since=then, credential_id=key.id)) == 2
    assert log_of(owner.admin, since=then, until=then) == []


def test_a_rare_request_is_looked_for_page_by_page(owner, key, report, monkeypatch):
    """What no index finds is not looked for through a million requests at once."""
    rare = request(key, route="/rare", request_id="r-rare", at=ago(minutes=2))
    report(rare, *(request(key, request_id=f"r-{n}") for n in range(12)))
    monkeypatch.setattr("app.admin.request_records.LOOKED_AT", 5)
    first = owner.admin.get(PATH, params={"route": "/rare"}).json()
    assert (first["data"], first["next_cursor"] is None) == ([], False)
    [found] = log_of(owner.admin, route="/rare")
    assert found["request_id"] == "r-rare"
    by_index = owner.admin.get(PATH, params={"route": "/rare", "request_id": "r-rare"}).json()
    assert (len(by_index["data"]), by_index["next_cursor"]) == (1, None)


@pytest.mark.row("S2-43")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_all_of_it_as_a_file(owner, key, report, monkeypatch, form):
    monkeypatch.setattr(pages, "AT_ONCE", 2)  # more than one reading
    report(*(request(key, user_agent=f"={number}") for number in range(5)))
    answer = owner.admin.get(PATH, params={"format": form, "credential_id": key.id})
    assert answer.headers["Content-Disposition"] == f'attachment; filename="requests.{form}"'
    listed = log_of(owner.admin, credential_id=key.id)
    assert len(listed) == 5
    if form == "jsonl":
        assert [json.loads(line) for line in answer.text.splitlines()] == listed
        return
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [one["id"] for one in table] == [one["id"] for one in listed]
    assert [one["user_agent"] for one in table] == [f"'{one['user_agent']}" for one in listed]


@pytest.mark.row("S2-43")
def test_requests_of_our_own_api_are_in_the_log(installation, owner, api):
    key = installation.api_key(["keyturn:keys:read"], organization=owner.organization_id)
    mine = api(key.key)
    served = [
        mine.get(f"/v1/api-keys/{key.id}"),
        mine.get("/v1/api-keys/key_nobodys"),
        mine.get("/v1/clients"),
        mine.post("/v1/leases", json={}),  # comes as often as those who use the API do
    ]
    installation.services.uses.write()
    found = log_of(owner.admin, credential_id=key.id)[::-1]
    assert [
        (one["method"], one["route"], one["status"], one["outcome"], one["reason"]) for one in found
    ] == [
        ("GET", "/v1/api-keys/{key_id}", 200, "success", None),
        ("GET", "/v1/api-keys/{key_id}", 404, "success", "not_found"),
        ("GET", "/v1/clients", 403, "refused", "insufficient_scope"),
    ]
    ids = [answer.headers["X-Request-Id"] for answer in served[:3]]
    assert [one["request_id"] for one in found] == ids
    assert all(one["latency_ms"] > 0 and one["ip"] == "127.0.0.1" for one in found)


def test_a_repeated_report_is_kept_once(owner, key, report):
    body = {"id": "the-same-report-1"}
    assert [report(request(key), **body).json()["accepted"] for _ in range(2)] == [1, 1]
    assert len(log_of(owner.admin, credential_id=key.id)) == 1


def test_of_others_there_is_nothing_to_report_and_nothing_to_see(
    installation, owner, key, report, tenant
):
    theirs = tenant()
    answer = report(request(key), by=theirs.admin)
    assert (answer.json()["accepted"], answer.json()["ignored"]) == (0, 1)
    report(request(key))
    assert log_of(theirs.admin, credential_id=key.id) == []
    answer = theirs.admin.get(PATH, params={"organization_id": owner.organization_id})
    assert answer.status_code == 404


def test_what_is_too_old_or_to_come_is_ignored(owner, key, report):
    answer = report(*(request(key, at=ago(days=days)) for days in (8, -1)))
    assert (answer.json()["accepted"], answer.json()["ignored"]) == (0, 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("method", "get"), ("method", "G" * 17), ("route", "/" * 257), ("route", "/\x00"),
        ("status", 99), ("status", "200"), ("latency_ms", -1), ("latency_ms", 1e9),
        ("ip", "192.0.2"), ("user_agent", "x" * 257), ("request_id", "x" * 65),
        ("outcome", "fine"), ("reason", "Because"), ("at", "2026-01-01"), ("credential_id", ""),
        ("path", "/rooms/7"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(owner, key, report, field, value):
    answer = report(request(key, **{field: value}))
    assert (answer.status_code, fields_of(answer)) == (400, [f"requests.0.{field}"])
    assert log_of(owner.admin, credential_id=key.id) == []


def test_the_largest_report_fits_and_a_larger_one_is_refused(key, report):
    longest = request(
        key, route="/" * 256, user_agent="\\" * 256, request_id="x" * 64, reason="x" * 64,
        method="X" * 16, ip="2001:db8:1111:2222:3333:4444:5555:6666",
    )  # fmt: skip
    assert report(*[longest] * 50).status_code == 200
    answer = report(*[longest] * 51)
    assert (answer.status_code, fields_of(answer)) == (400, ["requests"])


def test_what_is_too_long_ago_is_forgotten(any_installation):
    desk = any_installation.desk
    now = desk.clock()
    key = any_installation.api_key()
    body = [
        {"credential_id": key.id, "at": (now - timedelta(hours=hours)).isoformat(),
         "method": "GET", "route": "/", "status": 200}
        for hours in (1, 30, 31, 90)
    ]  # fmt: skip
    admin = any_installation.api_key(["keyturn:*"])
    bearer = {"Authorization": f"Bearer {admin.key}"}
    sent = any_installation.http.post(
        "/v1/usage/reports", json={"id": "old-and-new-ones", "requests": body}, headers=bearer
    )
    assert sent.json()["accepted"] == 4
    request_records.forget(desk.store, now - timedelta(hours=24))
    left = any_installation.http.get(PATH, headers=bearer).json()["data"]
    assert [one["at"] for one in left if one["credential_id"] == key.id] == [
        (now - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    ]


def test_where_it_is_not_wanted_there_is_none(tmp_path):
    with installed(tmp_path / "quiet", KEYTURN_REQUEST_LOG="0") as quiet:
        key = quiet.api_key(["keyturn:*"])
        bearer = {"Authorization": f"Bearer {key.key}"}
        quiet.http.get("/v1/clients", headers=bearer)
        quiet.services.uses.write()
        assert quiet.http.get(PATH, headers=bearer).json()["data"] == []


def test_on_the_command_line(installation, key, owner, report):
    report(request(key), request(key, status=500))
    run = installation.app.test_cli_runner().invoke
    named = ["usage", "requests", "--org", owner.organization_id, "--credential", key.id]
    shown = run(args=[*named, "--status", "500", "--json"])
    assert [one["status"] for one in json.loads(shown.stdout)["data"]] == [500]
    assert "/rooms/{id}" in run(args=named).stdout
    lines = run(args=[*named, "--all"]).stdout.splitlines()
    assert [json.loads(line)["status"] for line in lines] == [500, 200]
