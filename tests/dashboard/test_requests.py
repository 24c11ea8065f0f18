"""The request log: what the page shows, to whom, where it leads, and as which file."""

import csv
import io
import json

import pytest

from app.admin.advice import ADVICE
from app.web.dashboard.words import with_code

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def key(installation):
    """An API key that was let in twice and refused once, by itself."""
    made = installation.api_key(["keyturn:clients:read"])
    headers = {"Authorization": f"Bearer {made.key}", "User-Agent": EVIL}
    for path in ("clients", "clients", "scopes"):
        made_of = installation.http.get(f"/v1/{path}", headers=headers)
    assert made_of.status_code == 403
    installation.services.uses.write()
    return made


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({}, 3),
        ({"method": "GET", "status": "200"}, 2),
        ({"method": "DELETE"}, 0),
        ({"route": "/v1/scopes"}, 1),
        ({"outcome": "refused", "reason": "insufficient_scope"}, 1),
        ({"ip": "127.0.0.1"}, 3),
        ({"ip": "192.0.2.1"}, 0),
        ({"request_id": "req_unknown"}, 0),
        ({"since": "2020-01-01"}, 3),
        ({"until": "2020-01-01"}, 0),
    ],
    ids=range(10),
)
def test_requests_are_shown_and_filtered(site, key, asked, shown):
    page = site().get("/requests", credential_id=key.id, **asked).text
    assert page.count("<code>GET /v1/") == shown
    assert ("No requests" in page) is (shown == 0)
    assert EVIL not in page


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"status": "4xx"}, "status must be a number, as 403"),
        ({"since": "yesterday"}, "since must be a date, as 2026-01-31"),
        ({"outcome": "maybe"}, "outcome"),
        ({"cursor": "\x00"}, "cursor"),
    ],
    ids=range(4),
)
def test_what_cannot_be_filtered_by_is_said_at_the_field(site, key, asked, says):
    answer = site().get("/requests", **asked)
    assert answer.status_code == 400
    assert says in answer.text
    assert "<code>GET /v1/" not in answer.text


def test_pages_follow_each_other(installation, site):
    made = installation.api_key(["keyturn:clients:read"])
    for _ in range(60):
        installation.http.get("/v1/clients", headers={"Authorization": f"Bearer {made.key}"})
    installation.services.uses.write()
    ada, seen = site(), []
    page = ada.get("/requests", credential_id=made.id).text
    seen.append(page.count("<code>GET /v1/"))
    cursor = page.split("cursor=")[1].split('"')[0].split("&")[0]
    older = ada.get("/requests", credential_id=made.id, cursor=cursor).text
    assert [*seen, older.count("<code>GET /v1/")] == [50, 10]
    assert "Newest" in older
    assert "Older" not in older


def test_a_refused_request_leads_to_what_to_do(site, key):
    ada = site()
    page = ada.get("/requests", credential_id=key.id, outcome="refused").text
    [request_id] = [part.split('"')[0] for part in page.split("/refusals?request_id=")[1:]]
    reason = ada.get("/refusals", request_id=request_id).text
    assert with_code(ADVICE["insufficient_scope"]) in reason
    assert key.id in reason


def test_the_export_has_what_the_page_has(site, key):
    ada = site()
    asked = {"credential_id": key.id, "status": "200"}
    assert f"/requests/export/csv?credential_id={key.id}&amp;status=200" in (
        ada.get("/requests", **asked).text
    )
    [*rows] = csv.DictReader(io.StringIO(ada.get("/requests/export/csv", **asked).text))
    lines = ada.get("/requests/export/jsonl", **asked).text.splitlines()
    assert [row["route"] for row in rows] == ["/v1/clients"] * 2
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in rows]
    assert ada.get("/requests/export/xml").status_code == 404


def test_nobody_sees_the_requests_of_others(installation, site, key):
    elsewhere = site(organization_id=installation.organization())
    assert key.id not in elsewhere.get("/requests").text
    assert key.id not in elsewhere.get("/requests/export/csv").text


def test_it_is_in_the_menu_of_those_who_may_see_it(site):
    link = 'href="/dashboard/requests"'
    assert link in site(role="developer").get("/").text
    member = site(role="member")
    assert link not in member.get("/").text
    assert member.get("/requests").status_code == 403
