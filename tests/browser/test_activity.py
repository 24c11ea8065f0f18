"""Activity, refusals and signing keys in a browser."""

import pytest

from tests.support.browser import NARROW, severe_findings
from tests.support.installation import Credentials
from tests.support.served import eventually

PATHS = ("/dashboard/activity", "/dashboard/signing-keys", "/dashboard/signing-keys/rotate",
         "/dashboard/refusals", "/dashboard/requests")  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_out_and_nothing_is_too_wide(signed_in_page, scheme):
    signed_in_page.emulate_media(color_scheme=scheme)
    for path in PATHS:
        signed_in_page.goto(path)
        assert severe_findings(signed_in_page) == []
        signed_in_page.set_viewport_size(NARROW)
        width = signed_in_page.evaluate("document.documentElement.scrollWidth")
        assert (path, width) == (path, NARROW["width"])


def test_from_a_refusal_to_its_reason(signed_in_page, installation, server, picture):
    page = signed_in_page
    client = installation.client(["bookings:read"])
    answer = server.ask(Credentials(client.client_id, "kts_live_wrong"))
    page.goto(f"/dashboard/activity?actor_id={client.client_id}")
    eventually(lambda: page.reload() and page.get_by_text("secret_mismatch").count())
    page.get_by_text("Details").first.click()
    page.get_by_role("link", name=answer.headers["X-Request-Id"]).click()
    page.wait_for_url("**/refusals?*")
    page.get_by_text("secret_mismatch").wait_for()
    assert page.get_by_text("Make a new one if it is lost").is_visible()
    picture(page, "refusal")


def test_from_the_request_log_to_the_reason(signed_in_page, installation, server, picture):
    page = signed_in_page
    key = installation.api_key(["keyturn:clients:read"])
    headers = {"Authorization": f"Bearer {key.key}"}
    for path in ("clients", "clients", "scopes"):
        answer = server.get(f"/v1/{path}", headers=headers)
    assert answer.status_code == 403
    page.goto("/dashboard/")
    page.get_by_role("link", name="Request log").click()
    page.get_by_label("Credential").fill(key.id)
    page.get_by_role("button", name="Filter").click()
    eventually(lambda: page.reload() and page.get_by_text("insufficient_scope").count())
    picture(page, "requests")
    page.get_by_role("link", name="insufficient_scope").click()
    page.wait_for_url("**/refusals?*")
    assert page.get_by_text("GET /v1/scopes").is_visible()


def test_the_signing_key_is_rotated(signed_in_page, installation, picture):
    page = signed_in_page
    page.goto("/dashboard/signing-keys")
    page.get_by_role("link", name="Rotate").click()
    page.get_by_role("button", name="Rotate").click()
    page.get_by_text("signs from now on").wait_for()
    page.get_by_role("link", name="Retire").click()
    page.get_by_role("button", name="Retire this key").click()
    page.get_by_text("is refused from now on").wait_for()
    picture(page, "signing-keys")
    page.goto("/dashboard/activity")
    picture(page, "activity")
