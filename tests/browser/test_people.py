"""People: from an invitation to a second factor, and what a session does when it ends."""

import pyotp
import pytest

from app.admin import sessions
from tests.support.browser import NARROW, severe_findings
from tests.support.people import ORIGIN, PASSWORD, signed_in


def enter(page, email):
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def sign_out(page):
    page.locator(".account > summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/dashboard/sign-in")


def test_from_the_invitation_to_a_sign_in_by_code(signed_in_page, browser, server, picture):
    """What two people do: one invites, the other signs in, sets up an app, and comes back."""
    page = signed_in_page
    page.goto("/dashboard/people")
    page.get_by_role("link", name="Invite somebody").click()
    page.get_by_label("E-mail address").fill("grace@example.com")
    page.get_by_label("Name").fill("Grace Adeyemi")
    page.get_by_label("Admin").check()
    assert severe_findings(page) == []
    page.get_by_role("button", name="Make the link").click()
    link = page.locator("#secret").inner_text()
    assert severe_findings(page) == []

    page.context.clear_cookies()
    page.goto(link)
    page.get_by_role("button", name="Continue").click()
    assert link.partition("#")[2] not in page.url
    assert page.get_by_label("Your name").input_value() == "Grace Adeyemi"
    page.get_by_label("Password").fill("password1234")
    page.get_by_role("button", name="Save and go on").click()
    assert "everybody tries first" in page.locator("main").inner_text()
    assert page.get_by_label("Password").input_value() == ""
    assert severe_findings(page) == []
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_url("**/dashboard/")

    page.goto("/dashboard/account")
    page.get_by_role("link", name="Second factor").click()
    page.get_by_role("button", name="Set up").click()
    assert page.locator("svg.qr").bounding_box()["width"] > 100
    assert severe_findings(page) == []
    picture(page, "second-factor")
    app = pyotp.TOTP(page.locator("#totp-secret").inner_text().replace(" ", ""))
    page.get_by_label("Code that the app shows").fill(app.now())
    page.get_by_role("button", name="Turn on").click()
    codes = page.locator("#secret").inner_text().split()
    assert len(codes) == 10
    assert severe_findings(page) == []

    sign_out(page)
    enter(page, "grace@example.com")
    assert severe_findings(page) == []
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    assert page.locator("#code-wrong").inner_text().startswith("This did not work")
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard/")


@pytest.fixture
def unconfirmed(page, installation, server):
    """Somebody who has shown their password half an hour ago, and a page of theirs."""
    person = signed_in(installation)
    with installation.desk.store.transaction(installation.operator) as work:
        row = sessions.stored.get(work.session, person.user.id, person.opened.session.id)
        row.confirmed_at = None
    page.context.add_cookies(
        [
            {"name": name, "value": value, "url": f"{server.url}/dashboard"}
            for name, value in person.cookies.items()
        ]
    )
    return page


def test_the_password_is_asked_for_in_between_and_what_was_begun_goes_on(unconfirmed, picture):
    page = unconfirmed
    page.goto("/dashboard/people/new")
    page.get_by_label("E-mail address").fill("mary@example.com")
    page.get_by_label("Name").fill("Mary 'the <b>first</b>'")
    page.get_by_label("Auditor").check()
    page.get_by_role("button", name="Make the link").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Confirm that it is you"
    assert severe_findings(page) == []
    picture(page, "confirm")
    page.get_by_label("Your password").fill("something else")
    page.get_by_role("button", name="Confirm").click()
    assert "This is not your password" in page.locator("main").inner_text()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    assert "/dashboard/sign-in#" in page.locator("#secret").inner_text()
    page.get_by_role("link", name="Done").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Mary 'the <b>first</b>'"
    # The next one within ten minutes is not asked about.
    page.get_by_role("button", name="Disable").click()
    assert "kept out until you enable them" in page.locator("main").inner_text()


def test_an_ended_session_returns_to_where_one_was(page, installation, server, sign_in):
    user = sign_in(page)
    page.goto("/dashboard/people?cursor=")
    with installation.desk.store.transaction(installation.operator) as work:
        sessions.stored.end(work.session, user.id)
    page.get_by_role("link", name="Invite somebody").click()
    assert "/dashboard/sign-in?next=" in page.url
    enter(page, user.email)
    page.wait_for_url("**/dashboard/people/new")
    # A form that nobody is signed in for does nothing, and leads back to its page.
    page.get_by_label("E-mail address").fill("nobody@example.com")
    with installation.desk.store.transaction(installation.operator) as work:
        sessions.stored.end(work.session, user.id)
    page.get_by_role("button", name="Make the link").click()
    assert "/dashboard/sign-in?next=" in page.url
    enter(page, user.email)
    page.wait_for_url("**/dashboard/people/new")
    assert not installation.rows("SELECT id FROM users WHERE email = 'nobody@example.com'")


def test_what_people_see_of_themselves_and_others(signed_in_page, installation, picture, request):
    page = signed_in_page
    other = signed_in(installation, name="Katherine Johansson", role="developer")
    account = "/dashboard/account"
    for path, name in (
        ("/dashboard/people", "people"),
        (f"/dashboard/people/{other.user.id}", "person"),
        (f"/dashboard/people/{other.user.id}/credentials", None),
        (account, "account"),
        (f"{account}/password", None),
    ):
        page.goto(path)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert severe_findings(page) == [], path
        page.set_viewport_size(NARROW)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], path
        page.set_viewport_size({"width": 1280, "height": 860})
        if name:
            picture(page, name)
    assert ORIGIN.user_agent not in page.content()
