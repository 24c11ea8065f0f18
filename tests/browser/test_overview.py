"""The overview and the inspector in a browser."""

import pytest
from playwright.sync_api import expect

from tests.support.browser import severe_findings
from tests.support.served import eventually


@pytest.fixture
def busy(installation, server):
    """A client that is used and refused, and a key near its limit; answers the key."""
    client = installation.client(name="Booking service")
    for _ in range(12):
        server.ask(client)
    for _ in range(3):
        server.ask(client, scope="no:such")
    key = installation.api_key(
        ["keyturn:keys:read"], name="Nightly report", rate_limits=["5/hour"], expires_in=86400 * 30
    )
    for _ in range(5):
        server.get("/v1/me", headers={"Authorization": f"Bearer {key.key}"})
    return key


def test_what_was_used_is_seen_and_read(signed_in_page, busy, picture):
    page = signed_in_page

    def counted():
        page.goto("/dashboard/")
        return page.get_by_role("img", name="accepted 17, refused 3").is_visible()

    eventually(counted, every=0.5)  # uses are written once a second
    expect(page.get_by_role("region", name="Limits nearly used up")).to_contain_text("5/hour")
    picture(page, "overview")
    page.get_by_text("As a table").click()
    expect(page.get_by_role("row", name="17 3 0")).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert severe_findings(page) == []
    page.goto(f"/dashboard/api-keys/{busy.id}")
    picture(page, "api-key")
    assert severe_findings(page) == []


@pytest.mark.row("S1-25")
def test_the_inspector_names_the_rule_that_blocks(signed_in_page, busy, picture):
    page = signed_in_page
    page.goto("/dashboard/inspector")
    page.get_by_label("The key").fill(f"{busy.key} ")
    page.get_by_label("The route needs").fill("bookings:read")
    page.get_by_role("button", name="Inspect").click()
    expect(page.get_by_role("row", name="Scopes Failed")).to_be_visible()
    expect(page.get_by_role("row", name="Format Passed")).to_be_visible()
    assert busy.key not in page.content()
    assert severe_findings(page) == []
    picture(page, "inspector")
