"""Every filter of every list says at itself what is wrong with it, and keeps what was asked."""

import pytest

from app.admin.pages import write_cursor
from tests.dashboard.test_everywhere import READING
from tests.support.fields import Fields

ODD = "odd\x01"
PERIOD = {"since": "yesterday", "until": "soon"}
CHOICE = "no-such-choice"
WRONG = {
    "/activity": {
        "type": ODD, "outcome": ODD, "actor_id": ODD, "target_id": ODD, "ip": ODD,
        "request_id": ODD, **PERIOD,
    },
    "/api-keys": {
        "search": ODD, "status": CHOICE, "environment": ODD, "kind": CHOICE, "rotation": CHOICE,
        "inactive_days": "abc", "created_by": ODD,
    },
    "/clients": {"search": ODD, "status": CHOICE, "environment": ODD},
    "/limits": {"credential": ODD},
    "/organizations": {"search": ODD, "status": CHOICE},
    "/refusals": {"request_id": ODD},
    "/requests": {
        "credential_id": ODD, "method": ODD, "route": ODD, "status": "4xx", "outcome": CHOICE,
        "reason": ODD, "ip": ODD, "request_id": ODD, **PERIOD,
    },
    "/scopes": {"search": ODD, "all": None},
}  # fmt: skip
"""By page and filter; None: it cannot be wrong."""
CASES = [
    (path, name, value)
    for path, filters in WRONG.items()
    for name, value in filters.items()
    if value is not None
] + [("/api-keys", "inactive_days", "0"), ("/api-keys", "inactive_days", "100000")]


def filters(page):
    return Fields(page.text, method="get")


def test_every_filter_is_here(site):
    ada, found = site(), {}
    for path, _ in READING:
        if "<" not in path:
            shown = filters(ada.get(path)).fields
            found |= {path: set(shown)} if shown else {}
    assert found == {path: set(names) for path, names in WRONG.items()}


@pytest.mark.parametrize(("path", "name", "value"), CASES, ids=range(len(CASES)))
def test_what_is_wrong_is_said_at_its_filter_and_what_was_asked_stays(site, path, name, value):
    page = site().get(path, **{name: value})
    assert page.status_code == 400
    shown = filters(page)
    assert shown.wrong(name), shown.texts
    assert set(shown.texts) == {f"filter-{name}-wrong"}
    assert set(shown.fields) == WRONG[path].keys()
    assert value in page.text
    assert "None fits" not in page.text


LISTS = [
    "/activity", "/api-keys", "/clients", "/organizations", "/people", "/plans", "/presets",
    "/requests", "/resources", "/scopes",
]  # fmt: skip
"""Those of more than one page."""


@pytest.mark.parametrize("path", LISTS)
def test_what_belongs_to_no_filter_is_said_above_the_list(site, path):
    page = site().get(path, cursor="no such")
    assert page.status_code == 400
    assert set(filters(page).fields) == WRONG.get(path, {}).keys()
    assert 'role="alert">cursor is not one' in page.text
    assert "yet</h" not in page.text


@pytest.mark.parametrize("path", ["/activity", "/requests"])
def test_a_file_is_not_offered_and_not_made_by_a_wrong_filter(site, path):
    ada = site()
    assert f"/dashboard{path}/export/csv" in ada.get(path).text
    assert f"/dashboard{path}/export/csv" not in ada.get(path, ip=ODD).text
    refused = ada.get(f"{path}/export/csv", ip=ODD, since="yesterday", cursor="left out")
    assert refused.status_code == 303
    page = ada.follow(refused.headers["Location"])
    assert page.status_code == 400
    assert "since must be a date" in filters(page).wrong("since")
    assert "cursor=" not in refused.headers["Location"]


def test_no_name_in_a_query_says_where_a_link_leads(installation, site):
    """As ``url_for`` has arguments of its own."""
    odd = {"_scheme": "javascript", "_external": "1", "_anchor": "x", "endpoint": "y"}
    installation.client(name="A b&c")
    page = site().get("/clients", cursor=write_cursor("~"), search="A b&c", **odd)
    assert page.status_code == 200
    assert 'href="/dashboard/clients?search=A+b%26c&amp;_scheme=javascript' in page.text
    assert "javascript:" not in page.text


def test_what_is_not_offered_is_still_asked_for(installation, site):
    installation.client()
    page = site().get("/api-keys", inactive_days="45")
    assert page.status_code == 200
    assert "<option selected>45</option>" in page.text
