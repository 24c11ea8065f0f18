"""GET /v1/activity: every filter, and all of it as a file."""

import csv
import io
import json

import pytest

from app.admin import activity, pages
from tests.api.support import fields_of
from tests.support.served import eventually

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1"]


@pytest.fixture
def owner(tenant):
    return tenant()


def all_shipped(installation, owner, refused):
    """Until so many refusals are there: some may be on their way already."""
    installation.services.shipper.ship_now()
    eventually(lambda: len(events(owner, type="api_key.refused")) == refused, timeout=10)


@pytest.fixture
def shipped(installation, owner):
    """Some events: keys made, revoked, refused."""
    installation.services.shipper.ship_now()
    for number in range(3):
        key = installation.api_key(["rooms:read"], organization=owner.organization_id)
        owner.admin.delete(f"/v1/api-keys/{key.id}")
        refused = installation.http.get(
            "/v1/me",
            headers={"Authorization": f"Bearer {key.key}", "User-Agent": FORMULAS[number]},
        )
        assert refused.status_code == 401
    all_shipped(installation, owner, 3)
    return key.id, refused.headers["X-Request-Id"]


def events(owner, **params):
    response = owner.admin.get("/v1/activity", params={"limit": 200, **params})
    assert response.status_code == 200, response.text
    return response.json()["data"]


@pytest.mark.row("S3-19")
def test_every_filter(owner, shipped):
    key_id, request_id = shipped
    everything = events(owner)
    refused = next(one for one in everything if one["request_id"] == request_id)
    for name, value, of in (
        ("type", "api_key.refused", lambda one: one["type"]),
        ("actor_type", "api_key", lambda one: one["actor"]["type"]),
        ("actor_id", key_id, lambda one: one["actor"]["id"]),
        ("target_type", "api_key", lambda one: (one["target"] or {}).get("type")),
        ("target_id", key_id, lambda one: (one["target"] or {}).get("id")),
        ("outcome", "refused", lambda one: one["outcome"]),
        ("reason", "revoked", lambda one: one["reason"]),
        ("ip", "127.0.0.1", lambda one: one["ip"]),
        ("request_id", request_id, lambda one: one["request_id"]),
    ):
        found = events(owner, **{name: value})
        assert found == [one for one in everything if of(one) == value], name
        assert 0 < len(found) < len(everything), name
    assert events(owner, outcome="refused", ip="192.0.2.1") == []
    assert {one["type"] for one in events(owner, type="api_key.*")} >= {
        "api_key.created", "api_key.revoked", "api_key.refused"
    }  # fmt: skip
    at = {"since": refused["time"], "until": refused["time"]}
    assert events(owner, **at) == []
    assert refused in events(owner, since=refused["time"])


def exported(owner, how, **params):
    headers, query = {}, dict(params)
    if how in ("csv", "jsonl"):
        query["format"] = how
    else:
        headers["Accept"] = how
    response = owner.admin.get("/v1/activity", params=query, headers=headers)
    assert response.status_code == 200, response.text
    kind = "csv" if "csv" in how else "jsonl"
    assert response.headers["Content-Disposition"] == f'attachment; filename="activity.{kind}"'
    if kind == "jsonl":
        return [json.loads(line) for line in response.text.splitlines()]
    return list(csv.DictReader(io.StringIO(response.text)))


@pytest.mark.row("S2-43")
@pytest.mark.parametrize("how", ["csv", "text/csv", "jsonl", "application/jsonl"])
def test_all_of_it_as_a_file(owner, shipped, monkeypatch, how):
    monkeypatch.setattr(pages, "AT_ONCE", 2)  # more than one reading
    wanted = {"type": "api_key.*"}
    listed, found = events(owner, **wanted), exported(owner, how, **wanted)
    assert [one["id"] for one in found] == [one["id"] for one in listed]
    assert len(found) > 4
    if "jsonl" in how:
        assert found == listed
    else:
        assert [json.loads(one["details"]) for one in found] == [one["details"] for one in listed]
        assert [one["actor_id"] for one in found] == [one["actor"]["id"] for one in listed]


def test_a_spreadsheet_finds_no_formula(installation, owner):
    key = installation.api_key(["rooms:read"], organization=owner.organization_id)
    owner.admin.delete(f"/v1/api-keys/{key.id}")
    for agent in FORMULAS:
        installation.http.get(
            "/v1/me", headers={"Authorization": f"Bearer {key.key}", "User-Agent": agent}
        )
    all_shipped(installation, owner, len(FORMULAS))
    found = exported(owner, "csv", actor_id=key.id)
    agents = {one["user_agent"] for one in found}
    assert all(agent.startswith("'") for agent in agents)
    assert len(found) == len(FORMULAS)
    as_sent = {one["user_agent"] for one in exported(owner, "jsonl", actor_id=key.id)}
    assert not any(agent.startswith("'") for agent in as_sent)


def test_a_file_is_refused_before_it_begins(api, installation, owner, tenant):
    limited = installation.api_key(["rooms:read"], organization=owner.organization_id)
    assert api(limited.key).get("/v1/activity?format=csv").status_code == 403
    theirs = {"format": "csv", "organization_id": tenant().organization_id}
    assert owner.admin.get("/v1/activity", params=theirs).status_code == 404
    response = owner.admin.get("/v1/activity?format=xls")
    assert (response.status_code, fields_of(response)) == (400, ["format"])


def test_a_rare_event_is_looked_for_page_by_page(installation, monkeypatch):
    """What no index finds is not looked for through a million events in one request."""
    organization = installation.organization()
    for number in range(12):
        installation.scope(f"rare:s{number:02}", organization=organization)
    monkeypatch.setattr(activity, "LOOKED_AT", 5)
    wanted = activity.EventFilter(type="organization.created")
    found, pages, cursor = [], 0, None
    while True:
        page = activity.list_page(
            installation.desk, installation.operator, wanted, cursor=cursor,
            organization_id=organization,
        )  # fmt: skip
        found += page.data
        pages, cursor = pages + 1, page.next_cursor
        if cursor is None:
            break
    assert [event.target_id for event in found] == [organization]
    assert pages == 3
    by_target = activity.EventFilter(type="organization.*", target_id=organization)
    page = activity.list_page(
        installation.desk, installation.operator, by_target, organization_id=organization
    )
    assert (len(page.data), page.next_cursor) == (1, None)
