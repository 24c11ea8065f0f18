"""API keys: what a key is made with, what is refused, how one follows another, and how one ends."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from app.admin import plans, usage_reports
from app.admin.usage_reports import Entry
from app.apikeys import lifecycle
from app.storage.models import ApiKeyRow, SessionRow
from tests.support.pages import form_of
from tests.support.people import PASSWORD

NEW = {"name": "Partner", "scopes": ["bookings:read"], "environment": "live"}
SECRET = re.compile(r'<code id="secret">([^<]+)</code>')
KEY_ID = re.compile(r"/dashboard/api-keys/(key_\w+)")


def made(site, **typed):
    """The key that the page shows once, and its id."""
    page = site.send("/api-keys/new", **{**NEW, **typed})
    assert page.status_code == 200, page.text
    return SECRET.search(page.text)[1], KEY_ID.search(page.text)[1]


def shown(installation, key_id):
    return lifecycle.seen(installation.desk, installation.organization_id, key_id)


def is_good(installation, key):
    found = installation.http.get("/v1/me", headers={"Authorization": f"Bearer {key}"})
    return found.status_code != 401


@pytest.mark.row("S0-5", "S2-12", "S2-14")
def test_a_key_is_made_of_name_environment_permissions_and_restrictions(installation, site):
    ada = site()
    _, key_id = made(
        ada,
        name="Partner portal",
        description="For the portal",
        environment="test",
        allowed_ips="192.0.2.0/24\n2001:db8::1",
        allowed_domains="*.example.com",
        rate_limits="100/minute\n30/minute:booking",
    )
    key = shown(installation, key_id)
    assert (key.name, key.description, key.environment) == (
        "Partner portal",
        "For the portal",
        "test",
    )
    assert key.allowed_ips == ("192.0.2.0/24", "2001:db8::1")
    assert key.allowed_domains == ("*.example.com",)
    assert len(key.rate_limits) == 2
    page = ada.get(f"/api-keys/{key_id}").text
    for said in (
        "Partner portal",
        "For the portal",
        "192.0.2.0/24",
        "100/minute",
        "30/minute:book",
    ):
        assert said in page
    assert "Partner portal" in ada.get("/api-keys").text
    assert "Partner portal" in ada.get("/activity").text
    ada.send(f"/api-keys/{key_id}/edit", name="Portal", description="", allowed_ips="")
    key = shown(installation, key_id)
    assert (key.name, key.description, key.allowed_ips) == ("Portal", "", ())
    assert key.allowed_domains == ("*.example.com",)


@pytest.mark.row("S0-9", "S1-10", "S2-26")
def test_a_key_is_shown_with_its_line_for_an_env_file(installation, site):
    organization = installation.organization("Experience Local", scopes=["bookings:read"])
    ada = site(organization_id=organization)
    page = ada.send("/api-keys/new", **NEW).text
    key = SECRET.search(page)[1]
    assert f'<code id="env-line">EXPERIENCELOCAL_API_KEY={key}</code>' in page
    assert key not in ada.get(f"/api-keys/{KEY_ID.search(page)[1]}").text


def test_a_form_that_is_sent_twice_makes_one_key(installation, site):
    ada = site()
    form = {**ada.form("/api-keys/new"), **NEW, "name": "Twice"}
    first, second = (ada.post("/api-keys/new", form) for _ in range(2))
    assert SECRET.search(first.text)
    assert second.status_code == 303
    assert len(installation.rows("SELECT id FROM api_keys WHERE name = 'Twice'")) == 1


@pytest.mark.row("S0-5")
@pytest.mark.parametrize(
    ("typed", "field", "says"),
    [
        ({"name": ""}, "name", "required"),
        ({"name": " "}, "name", "1 to 100"),
        ({"scopes": []}, "scopes", "Give scopes or a preset"),
        ({"allowed_ips": "nowhere"}, "allowed_ips", "nowhere"),
        ({"allowed_domains": "https://a.example"}, "allowed_domains", "https://a.example"),
        ({"rate_limits": "many"}, "rate_limits", "100/minute"),
        ({"kind": "publishable"}, "allowed_domains", "needs a domain"),
        ({"kind": "publishable", "allowed_domains": "a.example"}, "scopes", "publishable"),
        ({"expires": "custom"}, "expires_at", "Choose the day"),
        ({"expires": "custom", "expires_at": "2001-01-01"}, "expires_at", "future"),
        ({"expires": "custom", "expires_at": "soon"}, "expires_at", "valid date"),
        ({"environment": ""}, "environment", "Choose one"),
    ],
)
def test_what_is_wrong_stands_at_its_field(site, typed, field, says):
    page = site().send("/api-keys/new", **{**NEW, **typed})
    assert page.status_code == 400
    wrong = re.search(rf'id="{field}-wrong">([^<]*)<', page.text)
    assert wrong
    assert says in wrong[1]


@pytest.mark.row("S2-42")
@pytest.mark.parametrize(
    ("expires", "days"), [("7", 7), ("30", 30), ("90", 90), ("", None), ("custom", 3)]
)
def test_a_key_ends_when_it_was_said(installation, site, expires, days):
    today = datetime.now(UTC)
    day = (today + timedelta(days=3)).date().isoformat()
    _, key_id = made(site(), expires=expires, expires_at=day)
    ends = shown(installation, key_id).expires_at
    if days is None:
        assert ends is None
    else:
        assert ends.date() == (today + timedelta(days=days)).date()


@pytest.mark.row("S2-14")
def test_where_environments_are_chosen_none_is_chosen_for_people(installation, site):
    organization = installation.organization(scopes=["a:b"], profile="experiencelocal")
    client = installation.client(["a:b", "keyturn:keys:*"], organization=organization)
    token = installation.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=client
    ).json()["access_token"]

    def create(**said):
        body = {"name": "x", "scopes": ["a:b"], **said}
        headers = {"Authorization": f"Bearer {token}"}
        return installation.http.post("/v1/api-keys", json=body, headers=headers)

    refused = create()
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["field"] == "environment"
    assert create(environment="test").json()["environment"] == "test"
    form = site(organization_id=organization).form("/api-keys/new")
    assert "environment" not in form


@pytest.mark.row("S2-9")
def test_a_plan_without_keys_says_so(installation, site):
    plan = plans.create(
        installation.desk, installation.operator, plans.NewPlan(name="Starter", max_active_keys=0)
    )
    organization = installation.organization(scopes=["bookings:read"], plan_id=plan.id)
    page = site(organization_id=organization).send("/api-keys/new", **NEW)
    assert page.status_code == 403
    assert "The plan has no API keys" in page.text


@pytest.mark.row("S0-3")
def test_the_list_holds_this_organizations_keys_and_no_others(installation, site):
    theirs = installation.api_key(name="Of the operator")
    elsewhere = installation.organization(scopes=["a:b"])
    own = installation.api_key(["a:b"], name="Own one", organization=elsewhere)
    ada = site(organization_id=elsewhere)
    page = ada.get("/api-keys").text
    assert own.id in page
    assert theirs.id not in page
    for path in ("", "/edit", "/rotate", "/revoke", "/compromised"):
        assert ada.get(f"/api-keys/{theirs.id}{path}").status_code == 404
    form = ada.form("/api-keys/new")
    for path in ("/edit", "/rotate", "/revoke", "/compromised", "/status"):
        assert ada.post(f"/api-keys/{theirs.id}{path}", form).status_code == 404
    assert is_good(installation, theirs.key)


@pytest.mark.row("S2-72")
def test_the_list_says_of_each_key_how_it_stands(installation, site):
    organization = installation.organization(scopes=["a:b"])

    def key(name, **also):
        return installation.api_key(["a:b"], name=name, organization=organization, **also)

    ada = site(organization_id=organization)
    key("Active one")
    off, gone, old, cut = (key(name) for name in ("Off", "Gone", "Rotated", "Cut"))
    key("Over", expires_in=1)
    ada.press(f"/api-keys/{off.id}", f"/api-keys/{off.id}/status")
    ada.send(f"/api-keys/{gone.id}/revoke")
    ada.send(f"/api-keys/{old.id}/rotate", grace="3600")
    ada.send(f"/api-keys/{cut.id}/rotate", grace="0")

    def standing(path="/api-keys", **query):
        rows = re.findall(r"<tr>\s*<th scope=\"row\">.*?</tr>", ada.get(path, **query).text, re.S)
        return {
            (re.search(r">([^<]+)</a>", row)[1], re.search(r'status-\w+">([^<]+)<', row)[1])
            for row in rows
        }

    found = standing()
    for name, word in (
        ("Active one", "Active"),
        ("Off", "Disabled"),
        ("Gone", "Revoked"),
        ("Rotated", "In grace"),
        ("Rotated", "Active"),
        ("Cut", "Rotated"),
        ("Cut", "Active"),
    ):
        assert (name, word) in found
    assert standing(status="revoked") == {("Gone", "Revoked")}
    assert standing(created_by="nobody") == set()
    assert ada.get("/api-keys", inactive_days="often").status_code == 400
    assert standing(inactive_days="7") == set()


@pytest.mark.row("S1-16", "S4-17")
def test_a_key_is_revoked_and_the_next_request_fails(installation, site):
    ada = site()
    key, key_id = made(ada)
    assert is_good(installation, key)
    assert ada.send(f"/api-keys/{key_id}/revoke", reason="employee_left").status_code == 303
    assert not is_good(installation, key)
    page = ada.get(f"/api-keys/{key_id}").text
    assert "Revoked" in page
    assert "employee_left" in page


@pytest.mark.row("S0-12", "S2-49")
def test_a_compromised_key_is_replaced_in_one_step(installation, site):
    ada = site()
    key, key_id = made(ada, description="Kept by its successor")
    form = {**ada.form(f"/api-keys/{key_id}/compromised"), "reason": "Found on a forum"}
    page = ada.post(f"/api-keys/{key_id}/compromised", form)
    fresh = SECRET.search(page.text)[1]
    assert not is_good(installation, key)
    assert is_good(installation, fresh)
    assert f"/dashboard/api-keys/{key_id}#use" in page.text
    told = ada.get("/activity", target_id=key_id).text
    assert f"/dashboard/activity?target_id={key_id}" in page.text
    assert "api_key.revoked" in told
    old = shown(installation, key_id)
    assert old.revoked_reason == "Found on a forum"
    assert shown(installation, old.rotated_to).description == "Kept by its successor"
    again = ada.post(f"/api-keys/{key_id}/compromised", form)
    assert again.headers["Location"] == f"/dashboard/api-keys/{old.rotated_to}"


@pytest.mark.row("S1-15")
def test_before_the_old_key_is_revoked_one_sees_whether_the_new_one_works(installation, site):
    ada = site()
    _, key_id = made(ada)
    page = ada.send(f"/api-keys/{key_id}/rotate", grace="86400", reason="hosting_change")
    fresh = SECRET.search(page.text)[1]
    assert "never used yet" in ada.get(f"/api-keys/{key_id}/revoke").text
    installation.http.get("/v1/me", headers={"Authorization": f"Bearer {fresh}"})
    installation.services.uses.write()
    assert "The new key works" in ada.get(f"/api-keys/{key_id}/revoke").text
    assert "Successor" in ada.get(f"/api-keys/{key_id}").text


@pytest.mark.row("S1-11", "S2-47")
def test_an_auditor_reads_and_can_do_nothing(installation, site):
    key = installation.api_key()
    auditor = site(role="auditor")
    page = auditor.get(f"/api-keys/{key.id}")
    assert page.status_code == 200
    assert not re.search(">(Edit|Rotate|Disable|Revoke|Compromised)<", page.text)
    below = f"/api-keys/{key.id}"
    for path in ("/edit", "/rotate", "/revoke", "/compromised"):
        for refused in (auditor.get(below + path), auditor.post(below + path, auditor.token())):
            assert refused.status_code == 403
            assert "keyturn:keys:write" in refused.text
    assert auditor.post(f"{below}/status", auditor.token()).status_code == 403
    assert auditor.post("/api-keys/new", {**auditor.token(), **NEW}).status_code == 403
    assert is_good(installation, key.key)


@pytest.mark.row("S2-41")
def test_scopes_that_are_not_needed_are_shown_and_left_out_of_another_key(installation, site):
    key = installation.api_key(["bookings:read", "reports:read"], name="Analytics")
    with installation.desk.store.begin() as connection:
        connection.execute(
            update(ApiKeyRow)
            .where(ApiKeyRow.id == key.id)
            .values(created_at=datetime.now(UTC) - timedelta(days=120))
        )
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    entry = Entry(credential_id=key.id, bucket=hour, count=1, scope="bookings:read")
    usage_reports.take(installation.desk, installation.operator, "report-0123456789", [entry])
    ada = site()
    page = ada.get(f"/api-keys/{key.id}").text
    assert page.count("not needed for 90 days") == 1
    form = ada.form(f"/api-keys/new?like={key.id}")
    assert (form["name"], form["scopes"]) == (["Analytics"], ["bookings:read"])


@pytest.mark.parametrize(
    ("page", "typed"),
    [
        ("/api-keys/new", NEW),
        ("/api-keys/{key}/rotate", {}),
        ("/api-keys/{key}/compromised", {}),
        ("/api-keys/{key}/revoke", {}),
        ("/clients/new", NEW),
        ("/clients/{client}/delete", {}),
        ("/clients/{client}/secrets/new", {}),
        ("/clients/{client}/secrets/{secret}/end", {}),
    ],
)
def test_what_makes_or_ends_a_credential_asks_for_the_password_again(
    installation, site, page, typed
):
    client = installation.client()
    secret = installation.secret(client.client_id).id
    key = installation.api_key().id
    path = page.format(key=key, client=client.client_id, secret=secret)
    ada = site()
    form = {**ada.form(path), **typed}
    with installation.desk.store.begin() as connection:
        connection.execute(update(SessionRow).values(confirmed_at=None))
    before = installation.rows("SELECT count(*) FROM audit_events")
    asked = ada.post(path, form)
    assert asked.status_code == 403
    assert "confirm_password" in asked.text
    assert installation.rows("SELECT count(*) FROM audit_events") == before
    again = form_of(asked)
    assert ada.post(path, {**again, "confirm_password": "wrong"}).status_code == 403
    done = ada.post(path, {**again, "confirm_password": PASSWORD})
    assert done.status_code in (200, 303)
    assert installation.rows("SELECT count(*) FROM audit_events") > before
