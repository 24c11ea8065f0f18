"""The frame of every page: reachable by keyboard, narrow, dark, and nothing that axe-core minds."""

import pytest

from app.admin import users
from tests.support.browser import NARROW, severe_findings
from tests.support.people import PASSWORD

THEMES = ("light", "dark")


def test_a_link_signs_in_and_leads_back_to_where_one_was(page, installation):
    new = users.NewUser(email="linked@example.com", role="owner")
    made = users.create(installation.desk, installation.operator, new)
    page.goto("/dashboard/?from=a-bookmark")
    assert "/dashboard/sign-in" in page.url
    page.goto(f"{page.url}#{made.secret}")
    page.reload()
    assert made.secret not in page.url
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_url("**/dashboard/?from=a-bookmark")
    page.get_by_text("linked@example.com").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/dashboard/sign-in")


@pytest.mark.parametrize("scheme", THEMES)
def test_nothing_keeps_anybody_out(signed_in_page, scheme):
    signed_in_page.emulate_media(color_scheme=scheme)
    for path in ("/dashboard/", "/dashboard/nothing-here"):
        signed_in_page.goto(path)
        assert severe_findings(signed_in_page) == []
    signed_in_page.context.clear_cookies()
    signed_in_page.goto("/dashboard/sign-in")
    assert severe_findings(signed_in_page) == []


def test_the_colours_are_the_systems_until_somebody_chooses(signed_in_page):
    def theme():
        return signed_in_page.locator("html").get_attribute("data-bs-theme")

    signed_in_page.emulate_media(color_scheme="dark")
    signed_in_page.goto("/dashboard/")
    assert theme() == "dark"
    signed_in_page.locator(".account > summary").click()
    signed_in_page.get_by_role("button", name="Light").click()
    signed_in_page.wait_for_load_state()
    assert theme() == "light"
    signed_in_page.locator(".account > summary").click()
    signed_in_page.get_by_role("button", name="System").click()
    signed_in_page.wait_for_load_state()
    assert theme() == "dark"


def test_on_a_telephone_nothing_is_wider_than_the_page(signed_in_page):
    signed_in_page.set_viewport_size(NARROW)
    signed_in_page.goto("/dashboard/")
    width = signed_in_page.evaluate("document.documentElement.scrollWidth")
    assert width <= NARROW["width"]
    signed_in_page.get_by_text("Menu", exact=True).click()
    menu = signed_in_page.get_by_role("navigation", name="Dashboard menu")
    assert menu.get_by_role("link", name="Overview").is_visible()


def test_the_keyboard_skips_to_the_content(signed_in_page):
    signed_in_page.goto("/dashboard/")
    signed_in_page.keyboard.press("Tab")
    assert signed_in_page.locator(":focus").inner_text() == "Skip to the content"
    signed_in_page.keyboard.press("Enter")
    assert signed_in_page.evaluate("document.activeElement.id") == "main"
