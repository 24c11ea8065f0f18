"""API keys, as somebody makes, hands out, rotates and ends them."""

import re

import pytest
from playwright.sync_api import expect

from examples.bookings.declare import read_products
from tests.support.browser import NARROW, severe_findings
from tests.support.served import eventually

PATHS = [
    ("bookingscheduler", "Organization Settings > API Keys > Generate New API Key", "S0-4"),
    ("reservekit", "API Keys > Generate API Key", "S1-4"),
    ("experiencelocal", "Settings > API Keys > Create API Key", "S2-13"),
    ("astrocal", "Settings > API Keys > Create Key", "S3-5"),
    ("generic", "Developer dashboard > API Keys > Create New API Key", "S4-1"),
]


@pytest.fixture
def organization(installation):
    return installation.organization(scopes=["bookings:read", "reports:read"])


def fill(page, name):
    """What a new key needs."""
    page.get_by_label("Name").fill(name)
    page.get_by_label(re.compile("^(live|production)$")).check()
    page.get_by_label("bookings:read").check()


@pytest.mark.parametrize(
    ("product", "path"),
    [pytest.param(*one[:2], id=one[0], marks=pytest.mark.row(one[2])) for one in PATHS],
)
def test_the_way_is_called_as_the_document_calls_it(installation, page, sign_in, product, path):
    said = read_products()[product]
    organization = installation.organization(
        product,
        environments=said["environments"],
        scopes=["bookings:read"],
        **{name: said[name] for name in ("profile", "key_template", "labels")},
    )
    sign_in(page, organization_id=organization)
    page.goto("/dashboard/")
    for step in path.split(" > "):
        page.get_by_role("link", name=step, exact=True).first.click()
    fill(page, "From the document")
    page.get_by_role("button", name=path.split(" > ")[-1]).click()
    key = page.locator("#secret").inner_text()
    assert key.startswith(said["key_template"]["prefix"])
    page.get_by_role("link", name="To the key").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked")
    page.get_by_role("link", name="API Keys", exact=True).first.click()
    row = page.get_by_role("row", name="From the document")
    expect(row).to_contain_text("Revoked")


def test_a_key_is_made_by_keyboard_alone(page, sign_in, organization, installation):
    sign_in(page, organization_id=organization)
    page.goto("/dashboard/api-keys")

    def tab_to(locator):
        for _ in range(80):
            if locator.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {locator}")

    tab_to(page.get_by_role("link", name="Create API key").last)
    page.keyboard.press("Enter")
    page.wait_for_url("**/api-keys/new")
    tab_to(page.get_by_label("Name"))
    page.keyboard.type("By keyboard")
    tab_to(page.get_by_label("live"))
    page.keyboard.press("Space")
    tab_to(page.get_by_label("reports:read"))
    page.keyboard.press("Space")
    tab_to(page.get_by_role("button", name="Create API key"))
    page.keyboard.press("Enter")
    page.locator("#secret").wait_for()
    tab_to(page.get_by_role("link", name="To the key"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("By keyboard")
    [made] = installation.rows("SELECT scopes FROM api_keys WHERE name = 'By keyboard'")
    assert made.scopes == '["reports:read"]'


@pytest.mark.row("S2-51", "S1-15")
def test_a_key_is_rotated_and_the_old_one_ends_when_the_new_one_works(
    page, sign_in, organization, server, picture
):
    sign_in(page, organization_id=organization)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/dashboard/api-keys/new")
    fill(page, "Partner portal")
    picture(page, "api-key-new")
    page.get_by_role("button", name="Create API key").click()
    page.get_by_role("button", name="Copy .env line").click()
    line = page.evaluate("navigator.clipboard.readText()")
    picture(page, "api-key-created")
    page.get_by_role("link", name="To the key").click()
    old = page.url
    page.get_by_role("link", name="Rotate").click()
    page.get_by_label("The present key lives on").select_option("For 24 hours")
    page.get_by_role("button", name="Rotate").click()
    fresh = page.locator("#secret").inner_text()
    assert not line.endswith(fresh)
    page.goto(f"{old}/revoke")
    expect(page.get_by_text("The new key was never used yet")).to_be_visible()
    server.get("/v1/me", headers={"Authorization": f"Bearer {fresh}"})

    def works():
        page.reload()
        return page.get_by_text("The new key works").is_visible()

    eventually(works, every=0.2)  # uses are written once a second
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked")
    page.goto("/dashboard/api-keys")
    picture(page, "api-keys")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_out(installation, signed_in_page, scheme):
    key = installation.api_key(rate_limits=["100/minute"]).id
    signed_in_page.emulate_media(color_scheme=scheme)
    below = f"/dashboard/api-keys/{key}"
    for path in (
        "/dashboard/settings",
        "/dashboard/api-keys",
        "/dashboard/api-keys/new",
        *(f"{below}{page}" for page in ("", "/edit", "/rotate", "/compromised", "/revoke")),
    ):
        signed_in_page.goto(path)
        assert (path, severe_findings(signed_in_page)) == (path, [])


def test_on_a_telephone_nothing_is_wider_than_the_page(installation, signed_in_page):
    key = installation.api_key(name="A long name " * 8, allowed_ips=["2001:db8::/32"] * 1).id
    signed_in_page.set_viewport_size(NARROW)
    for path in ("", "/new", f"/{key}", f"/{key}/edit", f"/{key}/revoke"):
        signed_in_page.goto(f"/dashboard/api-keys{path}")
        width = signed_in_page.evaluate("document.documentElement.scrollWidth")
        assert (path, width) == (path, NARROW["width"])
