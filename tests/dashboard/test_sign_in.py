"""Signing in and out: one answer for strangers, and a session that is nobody else's."""

import re
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest

from app.admin import proofs, sign_in, users
from app.errors import RateLimited, SignInRefused
from keyturn.limits.values import Limit
from tests.support.installation import installed
from tests.support.pages import COOKIE, Site
from tests.support.people import ORIGIN, PASSWORD, enrolled, invited, signed_in

OURS = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def a_long_minute(monkeypatch):
    """A test must not depend on whether the next minute begins in it."""
    monkeypatch.setattr(proofs, "OF_ACCOUNT", (Limit(5, "day"),))


def by_link(site, secret, **also):
    form = site.form("/sign-in", "/dashboard/sign-in/link")
    return site.post("/sign-in/link", {**form, "secret": secret, **also})


def enter(site, email, password=PASSWORD, **also):
    return site.post("/sign-in", {**site.form("/sign-in"), "email": email, "password": password,
                                  **also})  # fmt: skip


def test_from_the_link_to_a_password_to_the_overview(installation, stranger):
    made = invited(installation)
    assert made.link == f"{OURS}/dashboard/sign-in#{made.secret}"
    assert stranger.get("/sign-in").status_code == 200  # opening it uses nothing up
    answer = by_link(stranger, made.secret)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard/sign-in/password")
    assert stranger.get("/").headers["Location"] == "/dashboard/sign-in/password"
    refused = stranger.send("/sign-in/password", name="Ada", password="password1234")
    assert refused.status_code == 400
    assert "everybody tries first" in refused.text
    assert "password1234" not in refused.text
    answer = stranger.send("/sign-in/password", name="Ada", password=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard/")
    assert made.user.email in stranger.get("/").text
    assert by_link(Site(installation), made.secret).status_code == 403


def test_by_password_and_out_again(installation, stranger):
    person = signed_in(installation)
    answer = enter(stranger, person.user.email)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard/")
    secret = stranger.http.cookies[COOKIE]
    assert stranger.get("/sign-in").headers["Location"] == "/dashboard/"
    assert stranger.press("/", "/sign-out").headers["Location"] == "/dashboard/sign-in"
    assert COOKIE not in stranger.http.cookies
    stranger.http.cookies.set(COOKIE, secret, path="/dashboard")
    assert stranger.get("/").status_code == 303


def test_the_code_is_the_second_half_of_the_way(installation, stranger):
    person, app, codes = enrolled(installation)
    answer = enter(stranger, person.user.email, next="/dashboard/people?x=1")
    assert answer.headers["Location"] == "/dashboard/sign-in/code?next=/dashboard/people?x%3D1"
    half = stranger.http.cookies[COOKIE]
    for path in ("/", "/people", "/account", "/account/second-factor", "/clients"):
        assert stranger.get(path).headers["Location"].startswith("/dashboard/sign-in/code")
    page = "/sign-in/code?next=/dashboard/people?x%3D1"
    refused = stranger.post(page, {**stranger.form(page), "code": "123"})
    assert refused.status_code == 403
    code = app.at(int(installation.desk.clock().timestamp()))
    answer = stranger.post("/sign-in/code", {**stranger.form(page), "code": code})
    assert answer.headers["Location"] == "/dashboard/people?x=1"
    assert stranger.http.cookies[COOKIE] != half
    assert stranger.get("/people").status_code == 200
    again = Site(installation)
    enter(again, person.user.email)
    assert again.send("/sign-in/code", code=code).status_code == 403
    assert again.send("/sign-in/code", code=codes[0]).status_code == 303


def test_every_mistake_is_one_answer(installation):
    """To the byte, but for what the visitor typed and the form's own tokens."""
    person, disabled = signed_in(installation), signed_in(installation)
    users.update(
        installation.desk,
        installation.operator,
        disabled.user.id,
        users.UserChanges(status="disabled"),
    )

    def answer(email, password):
        refused = enter(Site(installation), email, password)
        assert refused.status_code == 403
        assert password not in refused.text
        return re.sub(r'value="[^"]*"', "", refused.text)

    assert (
        answer(person.user.email, "not the password")
        == answer("nobody@example.com", "not the password")
        == answer(disabled.user.email, PASSWORD)
    )


def test_every_mistake_is_the_same_work(installation, monkeypatch):
    """One password is compared, as dear as the next: nothing is counted by the clock."""
    person = signed_in(installation)
    compared = []
    hashers = type(installation.desk.passwords._hasher)
    verify = hashers.verify

    class Counting:
        def __init__(self, hasher):
            self._hasher = hasher

        def __getattr__(self, name):
            return getattr(self._hasher, name)

        def verify(self, stored, password):
            compared.append(stored.split("$")[3])
            return verify(self._hasher, stored, password)

    passwords = installation.desk.passwords
    monkeypatch.setattr(passwords, "_hasher", Counting(passwords._hasher))
    costs = set()
    for email in (person.user.email, "nobody@example.com", "", "\x00", "x" * 3000):
        with pytest.raises((SignInRefused, RateLimited)):
            sign_in.by_password(installation.desk, email, "not it", ORIGIN)
        costs.add(tuple(compared))
        compared.clear()
    assert len(costs) == 1
    assert len(next(iter(costs))) == 1


@pytest.mark.parametrize("secret", ["", "x", "\x00", "é" * 500])
def test_a_wrong_link_is_refused(stranger, secret):
    assert by_link(stranger, secret).status_code == 403
    assert stranger.get("/").headers["Location"] == "/dashboard/sign-in"


def test_an_unused_link_is_no_session(installation, stranger):
    stranger.http.cookies.set(COOKIE, invited(installation).secret, path="/dashboard")
    assert stranger.get("/").status_code == 303


def test_too_many_attempts_are_told_to_wait(installation, stranger):
    person = signed_in(installation)
    for _ in range(5):
        assert enter(stranger, person.user.email, "not the password").status_code == 403
    limited = enter(stranger, person.user.email)
    assert limited.status_code == 429
    assert int(limited.headers["Retry-After"]) >= 1
    assert "Too many attempts" in limited.text
    assert COOKIE not in stranger.http.cookies


def test_a_known_browser_is_not_kept_out_by_strangers(installation, stranger):
    person = signed_in(installation)
    enter(stranger, person.user.email)
    stranger.press("/", "/sign-out")
    for _ in range(5):
        enter(Site(installation), person.user.email, "not the password")
    assert enter(Site(installation), person.user.email).status_code == 429
    assert enter(stranger, person.user.email).status_code == 303


# Cookies -------------------------------------------------------------------------------------


def cookies_of(answer):
    """Name and flags of each cookie that is set."""
    return {
        cookie.partition("=")[0]: set(cookie.split("; ")[1:])
        for cookie in answer.headers.get_list("Set-Cookie")
    }


def test_cookies_are_for_this_site_and_no_script(installation, stranger):
    person = signed_in(installation)
    for name, flags in cookies_of(enter(stranger, person.user.email)).items():
        assert {"HttpOnly", "SameSite=Lax", "Path=/dashboard"} <= flags, name
        assert not any(flag.startswith("Domain") for flag in flags)
    assert person.opened.secret not in str(stranger.http.cookies)


def test_behind_https_no_other_host_can_set_them(tmp_path):
    with installed(tmp_path, KEYTURN_ISSUER="https://auth.example.com") as installation:
        person, site = signed_in(installation), Site(installation)
        answer = enter(site, person.user.email)
        assert answer.status_code == 303, answer.text
        found = cookies_of(answer)
        assert {"__Host-keyturn_session", "__Host-keyturn_browser"} <= set(found)
        for name, flags in found.items():
            assert name.startswith("__Host-")
            assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= flags, name
            assert not any(flag.startswith("Domain") for flag in flags)
        assert site.get("/").status_code == 200
        gone = cookies_of(site.press("/", "/sign-out"))["__Host-keyturn_session"]
        assert {"Secure", "Path=/", "Max-Age=0"} <= gone
        # Under its plain name it may be from anybody.
        site.http.cookies.set(COOKIE, person.opened.secret, path="/dashboard")
        assert site.get("/").status_code == 303


@pytest.mark.parametrize("path", ["/v1/me", "/docs", "/health", "/.well-known/jwks.json"])
def test_other_paths_know_no_cookies_of_the_dashboard(installation, site, path):
    cookie = "; ".join(f"{name}={value}" for name, value in site().http.cookies.items())
    answer = installation.http.get(path, headers={"Cookie": cookie})
    assert "Set-Cookie" not in answer.headers


def test_each_proof_of_who_one_is_brings_another_secret(installation):
    """No session that somebody else has begun is ever the one that is signed in (fixation)."""
    person, site = signed_in(installation), Site(installation)
    seen = ["planted-by-somebody-else"]

    def another():
        secret = site.http.cookies[COOKIE]
        assert secret not in seen
        seen.append(secret)

    site.http.cookies.set(COOKIE, seen[0], domain="127.0.0.1", path="/dashboard")
    enter(site, person.user.email)
    another()
    site.send("/account/password", present=PASSWORD, password="eleven copper lanterns")
    another()
    site.press("/account/second-factor", "/account/second-factor")
    begun = site.get("/account/second-factor").text
    app = pyotp.TOTP(re.search(r'id="totp-secret">([A-Z2-7 ]+)<', begun)[1].replace(" ", ""))
    action = "/account/second-factor/confirm"
    form = site.form("/account/second-factor", f"/dashboard{action}")
    assert site.post(action, {**form, "code": app.now()}).status_code == 200
    another()
    for secret in seen[:-1]:
        old = Site(installation, secret)
        assert old.get("/").status_code == 303


# Where one was -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/dashboard/?a=b", "/dashboard/?a=b"),
        ("https://evil.example/dashboard/x", "/dashboard/x"),
        ("//evil.example", "/dashboard/"),
        ("/\\evil.example", "/dashboard/"),
        ("/dashboard//evil.example", "/dashboard/"),
        ("/dashboard/\\evil.example", "/dashboard/"),
        ("/dashboard/\t/evil.example", "/dashboard/"),
        ("/dashboard/\r\nSet-Cookie: a=b", "/dashboard/"),
        ("/dashboard/../oauth/token", "/dashboard/"),
        ("/dashboardx/evil", "/dashboard/"),
        ("/oauth/token", "/dashboard/"),
        ("javascript:alert(1)", "/dashboard/"),
        ("data:text/html,x", "/dashboard/"),
        ("\u2028//evil.example", "/dashboard/"),
        ("http://[", "/dashboard/"),
        ("", "/dashboard/"),
    ],
)
def test_after_signing_in_one_stays_on_this_site(installation, stranger, asked, led_to):
    person = signed_in(installation)
    answer = enter(stranger, person.user.email, next=asked)
    assert answer.headers["Location"] == led_to
    assert answer.headers["Location"].startswith("/dashboard")


def test_strangers_are_led_back_to_what_they_asked_for(stranger):
    answer = stranger.get("/", cursor="x")
    assert answer.headers["Location"] == "/dashboard/sign-in?next=/dashboard/?cursor%3Dx"


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", f"{OURS}.x"])
def test_another_sites_form_does_not_act(installation, stranger, origin):
    person = signed_in(installation)
    form = {**stranger.form("/sign-in"), "email": person.user.email, "password": PASSWORD}
    stranger.http.headers.pop("Origin")
    headers = {"Origin": origin} if origin else {}
    refused = stranger.http.post("/sign-in", data=form, headers=headers)
    assert refused.status_code == 403
    assert COOKIE not in stranger.http.cookies


def test_a_form_of_another_browser_does_not_act(installation, stranger):
    person = signed_in(installation)
    form = stranger.form("/sign-in")
    stranger.http.cookies.clear()
    refused = stranger.post("/sign-in", {**form, "email": person.user.email, "password": PASSWORD})
    assert refused.status_code == 400
    assert COOKIE not in stranger.http.cookies


def test_a_link_for_two_at_once_is_one_session(installation):
    made = invited(installation)
    sites = [Site(installation) for _ in range(4)]
    forms = [site.form("/sign-in", "/dashboard/sign-in/link") for site in sites]

    def use(pair):
        site, form = pair
        return site.post("/sign-in/link", {**form, "secret": made.secret}).status_code

    with ThreadPoolExecutor(4) as threads:
        answers = sorted(threads.map(use, zip(sites, forms, strict=True)))
    assert answers == [303, 403, 403, 403]
