"""Clients, as somebody sees them who has just come."""

import pytest

from tests.support.browser import NARROW, severe_findings


@pytest.fixture
def client(installation):
    return installation.client(["bookings:read", "reports:read"], name="Billing")


def test_from_an_empty_list_to_a_token(page, sign_in, installation, server, picture):
    organization = installation.organization("Seaside Tours", scopes=["bookings:read"])
    sign_in(page, organization_id=organization)
    page.goto("/dashboard/clients")
    page.get_by_role("link", name="New client").last.click()
    page.get_by_role("button", name="Create client").click()
    # Nothing typed: what is missing is said, and read out at once.
    assert page.get_by_role("alert").evaluate("element => element === document.activeElement")
    picture(page, "client-new")
    page.get_by_label("Name").fill("Invoices")
    page.get_by_label("live").check()
    page.get_by_label("bookings:read").check()
    page.get_by_role("button", name="Create client").dblclick()
    secret = page.locator("#secret").inner_text()
    client_id = page.get_by_text("client_0").first.inner_text()
    picture_of = page.get_by_role("heading", name="The secret of this client")
    assert picture_of.is_visible()
    assert server.ask((client_id, secret)).status_code == 200
    page.reload()  # a browser would ask whether to send the form again; it leads to the client
    page.get_by_text("was done already").wait_for()
    assert secret not in page.content()
    assert page.get_by_role("row", name="kts_live").get_by_text("Active").is_visible()
    made = installation.rows("SELECT name FROM clients WHERE organization_id = :o", o=organization)
    assert made == [("Invoices",)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_out(signed_in_page, client, scheme):
    signed_in_page.emulate_media(color_scheme=scheme)
    below = f"/dashboard/clients/{client.client_id}"
    for path in ("/dashboard/clients", "/dashboard/clients/new", below, f"{below}/secrets/new"):
        signed_in_page.goto(path)
        assert severe_findings(signed_in_page) == []


def test_on_a_telephone_nothing_is_wider_than_the_page(signed_in_page, client):
    signed_in_page.set_viewport_size(NARROW)
    below = f"/dashboard/clients/{client.client_id}"
    for path in ("/dashboard/clients", "/dashboard/clients/new", below, f"{below}/delete"):
        signed_in_page.goto(path)
        width = signed_in_page.evaluate("document.documentElement.scrollWidth")
        assert (path, width) == (path, NARROW["width"])


def test_an_example_is_copied(signed_in_page, client, server, picture):
    signed_in_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    signed_in_page.goto(f"/dashboard/clients/{client.client_id}")
    picture(signed_in_page, "client")
    signed_in_page.get_by_text("Python", exact=True).click()
    signed_in_page.get_by_role("button", name="Copy Python example").click()
    copied = signed_in_page.evaluate("navigator.clipboard.readText()")
    assert client.client_id in copied
    assert server.url in copied
