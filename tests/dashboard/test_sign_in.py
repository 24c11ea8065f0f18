"""The first pages: a link that works once, a session that ends, nothing for strangers."""

import re

import pytest

from app.admin import users

HERE = {"Origin": "http://127.0.0.1:8000"}
TOKEN = re.compile('name="csrf_token"[^>]* value="([^"]+)"')


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


def _form(browser, secret, **also):
    token = TOKEN.search(browser.get("/dashboard/sign-in").text)
    return {"secret": secret, "csrf_token": token[1], **also}


def _sign_in(browser, secret, headers=HERE, **also):
    return browser.post("/dashboard/sign-in", data=_form(browser, secret, **also), headers=headers)


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


def test_a_form_of_another_browser_does_not_act(browser, administrator):
    form = _form(browser, administrator.secret)
    browser.cookies.clear()
    refused = browser.post("/dashboard/sign-in", data=form, headers=HERE)
    assert refused.status_code == 400
    assert "keyturn_session" not in browser.cookies


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/dashboard/?a=b", "/dashboard/?a=b"),
        ("https://evil.example/dashboard/x", "/dashboard/x"),
        ("//evil.example", "/dashboard/"),
        ("/\\evil.example", "/dashboard/"),
        ("/dashboard//evil.example", "/dashboard/"),
        ("/oauth/token", "/dashboard/"),
        ("javascript:alert(1)", "/dashboard/"),
        ("http://[", "/dashboard/"),
    ],
)
def test_after_signing_in_one_stays_on_this_site(browser, administrator, asked, led_to):
    answer = _sign_in(browser, administrator.secret, next=asked)
    assert answer.headers["Location"] == led_to


def test_strangers_are_led_back_to_what_they_asked_for(browser):
    answer = browser.get("/dashboard/?cursor=x")
    assert answer.headers["Location"] == "/dashboard/sign-in?next=/dashboard/?cursor%3Dx"


@pytest.mark.parametrize("path", ["/v1/me", "/docs", "/health", "/.well-known/jwks.json"])
def test_other_paths_know_no_cookies_of_the_dashboard(browser, administrator, path):
    _sign_in(browser, administrator.secret)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    answer = browser.get(path, headers={"Cookie": cookie})
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://127.0.0.1:8000.x"]
)
def test_another_sites_form_does_not_act(browser, administrator, origin):
    headers = {"Origin": origin} if origin else {}
    assert _sign_in(browser, administrator.secret, headers).status_code == 403


def test_signing_out_and_a_reset_end_the_session(installation, browser, administrator):
    _sign_in(browser, administrator.secret)
    secret = browser.cookies["keyturn_session"]
    browser.post("/dashboard/sign-out", data=_form(browser, ""), headers=HERE)
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
