"""The first pages: a link that works once, a session that ends, nothing for strangers."""

import pytest

from app.admin import users

HERE = {"Origin": "http://127.0.0.1:8000"}


@pytest.fixture
def administrator(installation):
    """An owner and the secret of a link that was not used yet."""
    email = f"{installation._name('owner').replace(' ', '-')}@example.com"
    new = users.NewUser(email=email, role="owner")
    return users.create(installation.desk, installation.operator, new)


@pytest.fixture
def browser(installation):
    installation.http.cookies.clear()
    return installation.http


def _sign_in(browser, secret, headers=HERE):
    return browser.post("/dashboard/sign-in", data={"secret": secret}, headers=headers)


def test_a_link_becomes_a_session_once(browser, administrator):
    answer = _sign_in(browser, administrator.secret)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard/")
    page = browser.get("/dashboard/")
    assert page.status_code == 200
    assert administrator.user.email in page.text
    assert _sign_in(browser, administrator.secret).status_code == 403


def test_the_cookie_is_for_this_site_and_no_script(browser, administrator):
    cookie = _sign_in(browser, administrator.secret).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/dashboard"} <= set(cookie.split("; "))
    assert administrator.secret not in cookie


def test_an_unused_link_is_no_session(browser, administrator):
    browser.cookies.set("keyturn_session", administrator.secret, path="/dashboard")
    assert browser.get("/dashboard/").status_code == 303


@pytest.mark.parametrize("secret", ["", "x", "\x00", "é" * 500])
def test_a_wrong_secret_is_refused(browser, administrator, secret):
    assert _sign_in(browser, secret).status_code == 403
    assert browser.get("/dashboard/").headers["Location"] == "/dashboard/sign-in"


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://127.0.0.1:8000.x"]
)
def test_another_sites_form_does_not_act(browser, administrator, origin):
    headers = {"Origin": origin} if origin else {}
    assert _sign_in(browser, administrator.secret, headers).status_code == 403


def test_signing_out_and_a_reset_end_the_session(installation, browser, administrator):
    _sign_in(browser, administrator.secret)
    secret = browser.cookies["keyturn_session"]
    browser.post("/dashboard/sign-out", headers=HERE)
    browser.cookies.set("keyturn_session", secret, path="/dashboard")
    assert browser.get("/dashboard/").status_code == 303

    again = users.reset(installation.desk, installation.operator, administrator.user.id)
    browser.cookies.clear()
    assert _sign_in(browser, again.secret).status_code == 303
    users.reset(installation.desk, installation.operator, administrator.user.id)
    assert browser.get("/dashboard/").status_code == 303


def test_pages_load_nothing_from_elsewhere_and_are_kept_by_nobody(browser, administrator):
    _sign_in(browser, administrator.secret)
    for path in ("/dashboard/", "/dashboard/sign-in"):
        headers = browser.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert (headers["Cache-Control"], headers["Vary"]) == ("no-store", "Cookie")


def test_names_are_text_not_markup(installation, browser, administrator):
    installation.client(name="<script>alert(1)</script>")
    _sign_in(browser, administrator.secret)
    page = browser.get("/dashboard/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
