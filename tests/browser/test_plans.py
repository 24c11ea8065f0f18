"""A plan in a browser, and how it reads to those who are on it."""

from app.admin import plans
from tests.browser.test_shell import THEMES
from tests.support.browser import NARROW, severe_findings


def test_a_plan_is_made_and_read(page, sign_in, installation, picture):
    sign_in(page)
    page.goto("/dashboard/plans")
    page.get_by_role("link", name="New plan").first.click()
    page.get_by_label("Name").fill("Growth")
    page.get_by_label("Active API keys at most").fill("5")
    page.get_by_label("Rate limits").fill("30/minute:booking\n100/day:booking\nsometimes")
    page.get_by_role("button", name="Create plan").click()
    assert page.get_by_label("Rate limits").get_attribute("aria-invalid") == "true"
    page.get_by_label("Rate limits").fill("30/minute:booking\n100/day:booking\n1000/minute")
    page.get_by_role("button", name="Create plan").click()
    page.get_by_role("heading", name="Growth").wait_for()
    picture(page, "plan")

    [plan] = plans.list_page(installation.desk, installation.operator).data
    owner = installation.organization("Harbour Tours", plan_id=plan.id, scopes=["bookings:read"])
    keys = [installation.api_key(organization=owner) for _ in range(3)]
    page.context.clear_cookies()
    sign_in(page, organization_id=owner, role="developer")
    page.goto("/dashboard/limits")
    page.get_by_label("ID of an API key or a client").fill(keys[0].id)
    page.keyboard.press("Enter")
    page.get_by_role("cell", name="1,000 each minute").last.wait_for()
    picture(page, "limits")
    for scheme in THEMES:
        page.emulate_media(color_scheme=scheme)
        page.reload()
        assert severe_findings(page) == []
    page.set_viewport_size(NARROW)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= NARROW["width"]
