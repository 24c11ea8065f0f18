"""Every filter of every list says at itself what is wrong with it, and keeps what was asked."""

import pytest

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


@pytest.mark.parametrize(
    "path", ["/activity", "/api-keys", "/clients", "/organizations", "/scopes"]
)
def test_what_belongs_to_no_filter_is_said_below_them(site, path):
    page = site().get(path, cursor="no such")
    assert page.status_code == 400
    assert set(filters(page).fields) == WRONG[path].keys()
    assert 'role="alert">cursor is not one' in page.text


def test_what_is_not_offered_is_still_asked_for(installation, site):
    installation.client()
    page = site().get("/api-keys", inactive_days="45")
    assert page.status_code == 200
    assert "<option selected>45</option>" in page.text
