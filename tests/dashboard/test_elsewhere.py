"""Somebody of the operator's acts on another organization, on every page, and comes back."""

import pytest

from app.admin import users
from tests.support.pages import cells, form_of


@pytest.fixture(scope="module")
def tenant(installation):
    """An organization with one of everything that pages list."""
    owner = installation.organization("Harbour Tours", scopes=["tours:read"])
    installation.preset("guides", ["tours:read"], organization=owner)
    installation.resource("urn:tours", organization=owner)
    installation.client(["tours:read"], name="Their client", organization=owner)
    installation.api_key(["tours:read"], name="Their key", organization=owner)
    new = users.NewUser(email="theirs@example.com", role="admin", organization_id=owner)
    users.create(installation.desk, installation.operator, new)
    return owner


def look(site, organization):
    return site.press(f"/organizations/{organization}", f"/organizations/{organization}/look")


PAGES = {
    "/scopes": "tours:read",
    "/presets": "guides",
    "/resources": "urn:tours",
    "/clients": "Their client",
    "/api-keys": "Their key",
    "/people": "theirs@example.com",
    "/activity?type=preset.created": "guides",
    "/organization": "Harbour Tours</h1>",
}


def test_every_page_is_the_other_organizations(site, installation, tenant):
    ada = site()
    for path, text in PAGES.items():
        assert text not in ada.get(path).text, path
    assert look(ada, tenant).status_code == 303
    for path, text in PAGES.items():
        page = ada.get(path).text
        assert text in page, path
        assert "You act on <strong>Harbour Tours</strong>" in page, path
    # Another session of the same person, or another person, is where it was.
    assert "You act on" not in site().get("/").text

    made = ada.send("/scopes/new", name="tours:write")
    assert made.status_code == 303
    assert ada.get("/scopes/show", name="tours:write").status_code == 200
    invited = ada.send("/people/new", email="guide@example.com", role="developer")
    assert invited.status_code == 200
    [(owner,)] = installation.rows(
        "SELECT organization_id FROM users WHERE email = 'guide@example.com'"
    )
    assert owner == tenant
    back = ada.press("/scopes", "/organizations/back")
    assert back.headers["Location"] == f"/dashboard/organizations/{tenant}"
    assert ada.get("/scopes/show", name="tours:write").status_code == 404
    assert "You act on" not in ada.get("/").text


def test_keys_are_judged_by_the_organization_that_is_shown(site, installation):
    """Format and standing alike; what is another's is unknown, even to who may look at both."""
    tenant = installation.organization(scopes=["tours:read"], key_template={"prefix": "tour"})
    their_key = installation.api_key(["tours:read"], name="Theirs", organization=tenant).key
    own_key = installation.api_key(name="Ours").key
    their_slip, own_slip = (
        key[:-1] + ("a" if key[-1] != "a" else "b") for key in (their_key, own_key)
    )
    ada = site()

    def rules(text):
        page = ada.send("/inspector", key=text)
        assert page.status_code == 200
        known = [name for name in ("Theirs", "Ours") if name in page.text]
        return known, {row[0]: row[1] for row in cells(page.text, "Rules")}

    def check(here, slip, elsewhere, foreign_slip, name):
        known, found = rules(here)
        assert (known, found["Known"], found["Scopes"]) == ([name], "Passed", "Not asked")
        assert rules(slip)[1]["Checksum"] == "Failed"
        known, found = rules(elsewhere)
        assert (known, found["Known"]) == ([], "Failed")
        assert rules(foreign_slip)[1]["Format"] == "Failed"

    check(own_key, own_slip, their_key, their_slip, "Ours")
    look(ada, tenant)
    check(their_key, their_slip, own_key, own_slip, "Theirs")
    ada.press("/scopes", "/organizations/back")
    check(own_key, own_slip, their_key, their_slip, "Ours")


def test_only_the_operators_owners_may(site, installation, tenant):
    other = installation.organization()
    for somebody in (site(role="admin"), site(organization_id=other), site(organization_id=tenant)):
        refused = somebody.post(f"/organizations/{tenant}/look", somebody.token())
        assert refused.status_code == 403
        assert "You act on" not in somebody.get("/").text
    ada = site()
    assert ada.post("/organizations/org_nowhere/look", ada.token()).status_code == 404
    own = installation.organization_id
    assert ada.post(f"/organizations/{own}/look", ada.token()).status_code == 303
    assert "You act on" not in ada.get("/").text
    assert "/look" not in ada.get(f"/organizations/{own}").text


def test_who_loses_the_right_loses_the_other_organization(site, installation, tenant):
    ada = site()
    look(ada, tenant)
    with installation.desk.store.begin() as connection:
        connection.exec_driver_sql("UPDATE users SET role = 'admin' WHERE id = ?", (ada.user.id,))
    lost = ada.get("/scopes")
    assert lost.status_code == 404
    action = "/dashboard/organizations/back"
    assert ada.post("/organizations/back", form_of(lost, action)).status_code == 303
    assert ada.get("/scopes").status_code == 200
