"""Organizations for the operator, and what stands of one for its own people."""

import re

import pytest

from app.admin import organizations
from tests.support.pages import form_of
from tests.support.people import PASSWORD

NASTY = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)"
PARTS = ("general", "plan", "keys", "errors", "limits", "labels")
KEY = re.compile(r'<code id="example-key">([^<]+)</code>')


def shown(installation, owner):
    return organizations.show(installation.desk, installation.operator, owner)


@pytest.mark.parametrize("role", ["owner", "admin", "developer", "auditor"])
def test_others_look_at_their_own_and_change_what_is_asked_of_keys(site, installation, role):
    owner, other = installation.organization(), installation.organization()
    ada = site(role=role, organization_id=owner)
    page = ada.get("/organization")
    assert page.status_code == 200
    assert "Only the operator" in page.text
    assert 'href="/dashboard/organizations"' not in page.text
    for part in PARTS:
        assert f"/edit/{part}" not in page.text
        assert ada.get(f"/organization/edit/{part}").status_code == 403
        sent = ada.post(f"/organization/edit/{part}", {**ada.token(), "name": "Mine"})
        assert sent.status_code == 403
    may = role in ("owner", "admin", "developer")
    assert ada.get("/organization/key-policy").status_code == (200 if may else 403)
    assert ("/organization/key-policy" in page.text) == may
    for path in ("", "/edit/general", "/key-policy", "/suspend", "/resume"):
        assert ada.get(f"/organizations/{other}{path}").status_code in (403, 404), path
    assert ada.get("/organizations").status_code == 403
    assert ada.post(f"/organizations/{other}/suspend", ada.token()).status_code == 403
    assert shown(installation, other).status == "active"


@pytest.mark.parametrize(("role", "status"), [("owner", 200), ("admin", 403), ("auditor", 403)])
def test_organizations_are_for_owners_of_the_operator(site, installation, role, status):
    owner = installation.organization()
    ada = site(role=role)
    assert ada.get("/organization").status_code == 200
    paths = ("", "/new", f"/{owner}", *(f"/{owner}/edit/{part}" for part in PARTS))
    for path in (*paths, f"/{owner}/suspend"):
        assert ada.get(f"/organizations{path}").status_code == status, path


def test_an_organization_is_made_suspended_and_resumed(site, installation):
    ada = site()
    typed = {"name": "Harbour Tours", "environments": "live\r\ntest\r\nstaging"}
    form = {**ada.form("/organizations/new"), **typed, "profile": "reservekit"}
    made = ada.post("/organizations/new", form)
    assert ada.post("/organizations/new", form).headers["Location"] == made.headers["Location"]
    path = made.headers["Location"].removeprefix("/dashboard")
    page = ada.get(path).text
    for text in ("Harbour Tours", "live, test, staging", "API key revoked", "Suspend"):
        assert text in page
    key = installation.api_key(
        ["keyturn:audit:read"], organization=path.removeprefix("/organizations/")
    )

    def status():
        bearer = {"Authorization": f"Bearer {key.key}"}
        return installation.http.get("/v1/me", headers=bearer).status_code

    assert status() == 200
    assert ada.send(f"{path}/suspend").headers["Location"] == made.headers["Location"]
    assert "Resume" in ada.get(path).text
    assert status() == 401
    listed = ada.get("/organizations", status="suspended").text
    assert "Harbour Tours" in listed
    assert "Harbour Tours" not in ada.get("/organizations", status="active").text
    ada.send(f"{path}/resume")
    assert status() == 200


def test_suspending_asks_first_and_for_the_password_and_resuming_only_asks(site, installation):
    ada, tenant = site(), installation.organization()
    with installation.desk.store.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE sessions SET confirmed_at = NULL WHERE user_id = ?", (ada.user.id,)
        )
    path = f"/organizations/{tenant}/suspend"
    form = ada.form(path)
    assert shown(installation, tenant).status == "active"
    for typed in ({}, {"confirm_password": ""}, {"confirm_password": "not it"}):
        asked = ada.post(path, {**form, **typed})
        assert (asked.status_code, "Confirm that it is you" in asked.text) == (403, True)
        assert shown(installation, tenant).status == "active"
    done = ada.post(path, {**form_of(asked), "confirm_password": PASSWORD})
    assert (done.status_code, shown(installation, tenant).status) == (303, "suspended")
    assert ada.post(path, form).status_code == 303  # again: it is suspended, and stays so
    events = installation.rows(
        "SELECT count(*) FROM audit_events WHERE type LIKE 'organization.%'"
        f" AND target_id = '{tenant}' AND type != 'organization.created'"
    )
    assert events == [(1,)]
    somebody = site()
    assert somebody.send(f"/organizations/{tenant}/resume").status_code == 303
    assert shown(installation, tenant).status == "active"


def test_the_operator_is_not_suspended(site, installation):
    ada = site()
    path = f"/organizations/{installation.organization_id}"
    assert "/suspend" not in ada.get(path).text
    refused = ada.send(f"{path}/suspend")
    assert refused.status_code == 409
    assert "cannot be suspended" in refused.text


def test_organizations_are_found_by_name_and_id(site, installation):
    first, second = (installation.organization(name) for name in ("100% Fun", "Alpine"))
    ada = site()
    for search, found in (("100% f", first), ("alp", second), (second, second)):
        page = ada.get("/organizations", search=search).text
        assert found in page
        assert ({first, second} - {found}).pop() not in page
    for search in ("nobody", "% f"):
        assert "None fits" in ada.get("/organizations", search=search).text


@pytest.mark.parametrize(
    ("part", "typed", "stands"),
    [
        ("general", {"name": "Anew", "environments": "live\ntest"}, {"name": "Anew"}),
        ("errors", {"profile": "astrocal"}, {"profile": "astrocal"}),
        ("limits", {"rate_limits": "9/hour"}, {}),
        ("keys", {"prefix": "ht", "checksum": None}, {}),
        ("labels", {"api_keys": "Keys"}, {}),
    ],
)
def test_the_operator_changes_a_part(site, installation, part, typed, stands):
    owner = installation.organization()
    ada = site()
    before = shown(installation, owner)
    path = f"/organizations/{owner}/edit/{part}"
    form = {**ada.form(path), **typed}
    saved = ada.post(path, {name: value for name, value in form.items() if value is not None})
    assert saved.headers["Location"] == f"/dashboard/organizations/{owner}"
    after = shown(installation, owner)
    assert all(getattr(after, name) == value for name, value in stands.items())
    if part == "limits":
        assert after.rate_limits == ({"limit": 9, "window": "hour", "class": None},)
    if part == "keys":
        assert after.key_template == {"prefix": "ht", "checksum": "none"}
    if part == "labels":
        assert after.labels["api_keys"] == "Keys"
    again = ada.send(path)
    assert again.status_code == 303
    assert shown(installation, owner) == after
    assert before.plan_id == after.plan_id
    assert before.key_variable == shown(installation, owner).key_variable or part == "general"


def test_a_plan_is_changed(site, installation):
    ada = site()
    made = ada.send("/plans/new", name="Changing", max_active_keys="3")
    plan = made.headers["Location"].rpartition("/")[2]
    owner = installation.organization()
    ada.send(f"/organizations/{owner}/edit/plan", plan_id=plan)
    assert "0 of 3" in ada.get(f"/organizations/{owner}").text
    assert owner in ada.get("/organizations", plan_id=plan).text
    ada.send(f"/organizations/{owner}/edit/plan", plan_id="")
    assert shown(installation, owner).plan_id is None
    refused = ada.send(f"/organizations/{owner}/edit/plan", plan_id="plan_nowhere")
    assert (refused.status_code, "plan_id-wrong" in refused.text) == (400, True)


@pytest.mark.parametrize(
    ("part", "typed", "field", "says"),
    [
        ("general", {"name": ""}, "name", "required"),
        ("general", {"name": "x" * 101}, "name", "1 to 100"),
        ("general", {"environments": "l-i-v-e"}, "environments", "letters and digits"),
        ("keys", {"prefix": "a b"}, "prefix", "up to four parts"),
        ("keys", {"length": "8"}, "length", "128 bits"),
        ("keys", {"length": "long"}, "length", "Not a valid integer"),
        ("keys", {"checksum_length": "9"}, "checksum_length", "4-8 characters"),
        ("keys", {"key_variable": "my-key"}, "key_variable", "capital letters"),
        ("errors", {"profile": "mine"}, "profile", "Not a valid choice"),
        ("limits", {"rate_limits": "often"}, "rate_limits", "LIMIT/WINDOW"),
        ("labels", {"api_keys": "k" * 41}, "api_keys", "between 1 and 40"),
    ],
)
def test_a_refusal_stands_at_its_field(site, installation, part, typed, field, says):
    owner = installation.organization()
    before = shown(installation, owner)
    refused = site().send(f"/organizations/{owner}/edit/{part}", **typed)
    assert refused.status_code == 400
    at = refused.text.index(f'id="{field}-wrong"')
    assert says in refused.text[at : refused.text.index("</div>", at)]
    kept = form_of(refused)
    if part != "errors":
        assert kept[field] == [typed[field]]
    assert shown(installation, owner) == before


def test_an_example_of_a_key_is_computed_and_nothing_is_saved(site, installation):
    owner = installation.organization()
    ada = site()
    path = f"/organizations/{owner}/edit/keys"
    before = shown(installation, owner)
    form = {**ada.form(path), "prefix": "sk_rsv", "alphabet": "hex", "preview": "yes"}
    del form["tells_environment"], form["checksum"]
    page = ada.post(path, form)
    example = KEY.search(page.text)[1]
    assert re.fullmatch("sk_rsv_[0-9a-f]{32}", example)
    assert form_of(page)["prefix"] == ["sk_rsv"]
    assert shown(installation, owner) == before
    assert installation.rows("select count(*) from api_keys where prefix = 'sk_rsv'")[0][0] == 0


def test_a_profile_is_shown_by_what_it_says(site, installation):
    owner = installation.organization()
    path = f"/organizations/{owner}/edit/errors"
    ada = site()
    form = {**ada.form(path), "profile": "bookingscheduler", "preview": "yes"}
    page = ada.post(path, form).text
    assert "INVALID_API_KEY" in page
    assert "has been revoked." in page
    assert shown(installation, owner).profile == "problem+json"


@pytest.mark.parametrize(
    ("typed", "field", "says"),
    [
        ({"rotate_after_days": "0"}, "rotate_after_days", "between 1 and"),
        ({"disable_inactive_days": "30"}, "disable_inactive_days", "its owner is warned"),
        ({"on_leak": "nothing"}, "on_leak", "Not a valid choice"),
    ],
)
def test_what_is_asked_of_keys(site, installation, typed, field, says):
    owner = installation.organization()
    ada = site(role="developer", organization_id=owner)
    refused = ada.send("/organization/key-policy", **typed)
    at = refused.text.index(f'id="{field}-wrong"')
    assert says in refused.text[at : refused.text.index("</div>", at)]
    saved = ada.send("/organization/key-policy", rotate_after_days="90", on_leak="grace")
    assert saved.headers["Location"] == "/dashboard/organization"
    page = ada.get("/organization").text
    assert "90 days" in page
    assert "It has a last day" in page
    ada.send("/organization/key-policy", rotate_after_days="", on_leak="")
    assert "90 days" not in ada.get("/organization").text


def test_names_are_text(site, installation):
    owner = installation.organization(name=f"{NASTY} & Sons")
    for path, ada in (
        ("/organizations", site()),
        (f"/organizations/{owner}", site()),
        (f"/organizations/{owner}/edit/general", site()),
        (f"/organizations/{owner}/suspend", site()),
        ("/organization", site(organization_id=owner)),
    ):
        page = ada.get(path).text
        assert NASTY not in page, path
        assert ESCAPED in page, path
