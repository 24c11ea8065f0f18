"""Scopes, presets and resources in a browser: made one after the other, as somebody begins."""

from tests.browser.test_shell import THEMES
from tests.support.browser import NARROW, severe_findings

PAGES = ("scopes", "scopes/show?name=rooms:write", "presets", "presets/show?name=visitors")


def test_a_catalogue_is_declared(signed_in_page, installation, picture):
    page = signed_in_page
    installation.scope("rooms:read", description="Look at rooms, their pictures and prices")
    page.goto("/dashboard/scopes")
    page.get_by_role("link", name="Add scope").click()
    page.get_by_label("Name").fill("rooms write")
    page.get_by_label("rooms:read").check()
    page.get_by_role("button", name="Add scope").click()
    assert page.get_by_label("Name").get_attribute("aria-invalid") == "true"
    assert page.get_by_label("rooms:read").is_checked()
    page.get_by_role("link", name="Name", exact=True).click()
    assert page.evaluate("document.activeElement.id") == "name"
    page.get_by_label("Name").fill("rooms:write")
    page.get_by_label("Description").fill("Add and change rooms")
    page.get_by_role("button", name="Add scope").click()
    page.get_by_role("heading", name="rooms:write").wait_for()

    page.goto("/dashboard/presets/new")
    page.get_by_label("Name").fill("visitors")
    page.get_by_label("Wildcards").fill("rooms:* bookings:*")
    page.get_by_role("button", name="Create preset").dblclick()
    page.get_by_role("heading", name="visitors").wait_for()
    assert page.get_by_role("row", name="bookings:create").is_visible()
    picture(page, "preset")

    page.goto("/dashboard/resources/new")
    page.get_by_label("Audience").fill("https://rooms.example.com")
    page.get_by_label("Name").fill("Rooms")
    page.get_by_label("Wildcards").fill("rooms:*")
    page.get_by_role("button", name="Create resource").click()
    page.get_by_role("heading", name="Rooms").wait_for()
    page.goto("/dashboard/scopes")
    picture(page, "scopes")

    for scheme in THEMES:
        page.emulate_media(color_scheme=scheme)
        for path in (*PAGES, "scopes/new", "presets/edit?name=visitors", "resources"):
            page.goto(f"/dashboard/{path}")
            assert severe_findings(page) == [], path
    page.set_viewport_size(NARROW)
    for path in (*PAGES, "scopes/new", "presets/edit?name=visitors", "resources/new"):
        page.goto(f"/dashboard/{path}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= NARROW["width"], path
