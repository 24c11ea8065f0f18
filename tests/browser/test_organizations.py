"""An organization in a browser: made, given its keys' look, suspended; and by its own people."""

from tests.browser.test_shell import THEMES
from tests.support.browser import NARROW, severe_findings


def test_an_organization_is_made_and_dressed(page, sign_in, installation, picture):
    sign_in(page)
    page.goto("/dashboard/organizations")
    page.get_by_role("link", name="New organization").click()
    page.get_by_label("Name").fill("Harbour Tours")
    page.get_by_label("reservekit").check()
    page.get_by_role("button", name="Create organization").click()
    page.get_by_role("heading", name="Harbour Tours").wait_for()
    at = page.url
    page.get_by_role("link", name="How API keys look").click()
    page.get_by_label("Prefix").fill("sk_rsv")
    page.get_by_label("Length of the secret").focus()
    page.locator("#preview code", has_text="sk_rsv_live_").wait_for()
    page.get_by_label("The key tells its environment").uncheck()
    page.get_by_label("A checksum at the end").uncheck()
    page.get_by_label("Length of the secret").fill("12")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_label("Length of the secret").get_attribute("aria-invalid") == "true"
    page.get_by_label("Length of the secret").fill("40")
    page.get_by_role("button", name="Show an example").click()
    picture(page, "key-template")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    assert len(page.locator("#example-key").inner_text()) == len("sk_rsv_") + 40
    picture(page, "organization")
    page.goto("/dashboard/organizations")
    picture(page, "organizations")

    paths = (at, f"{at}/edit/errors", f"{at}/edit/keys", f"{at}/suspend", f"{at}/key-policy")
    for scheme in THEMES:
        page.emulate_media(color_scheme=scheme)
        for path in ("/dashboard/organizations", *paths):
            page.goto(path)
            assert severe_findings(page) == [], path
    page.set_viewport_size(NARROW)
    for path in ("/dashboard/organizations", *paths):
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= NARROW["width"], path
    page.goto(f"{at}/suspend")
    page.get_by_role("button", name="Suspend").click()
    page.get_by_text("Harbour Tours is suspended.").wait_for()
    page.get_by_role("link", name="Resume").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Harbour Tours is active.").wait_for()

    page.get_by_role("button", name="Act on it").click()
    page.get_by_text("You act on Harbour Tours").wait_for()
    picture(page, "elsewhere")
    assert severe_findings(page) == []
    page.get_by_role("button", name="Back to your own").click()
    page.get_by_role("heading", name="Harbour Tours").wait_for()

    page.context.clear_cookies()
    sign_in(page, organization_id=at.rpartition("/")[2], role="developer")
    page.goto("/dashboard/organization")
    assert page.get_by_text("Only the operator of this installation").is_visible()
    page.get_by_role("link", name="Edit what is asked of API keys").click()
    page.get_by_label("A key has a successor after days").fill("90")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("90 days").wait_for()
    assert severe_findings(page) == []
