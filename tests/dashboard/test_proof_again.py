"""Before something weighty one proves again who one is: by password, or by a code of the app."""

import pyotp
import pytest

from app.admin import proofs, second_factor, sessions
from keyturn.limits.values import Limit
from tests.support.fields import Fields
from tests.support.pages import COOKIE, Site, form_of
from tests.support.people import ORIGIN, PASSWORD, enrolled

PATH = "/people/new"


@pytest.fixture(autouse=True)
def a_long_minute(monkeypatch):
    """A test must not depend on whether the next minute begins in it."""
    monkeypatch.setattr(proofs, "OF_ACCOUNT", (Limit(5, "day"),))


@pytest.fixture
def with_app(installation):
    """A browser whose owner has proven a while ago who they are; their app, and recovery codes."""
    person, app, recovery_codes = enrolled(installation)
    site = Site(installation, person.opened.secret, person.user)
    site.proven_a_while_ago()
    yield site, app, recovery_codes
    site.close()


def asked(site, **typed):
    """The page that asks, with what is typed into it."""
    email = f"{site.installation._name('asked').replace(' ', '-')}@example.com"
    page = site.send(PATH, email=email, role="auditor")
    assert page.status_code == 403
    assert Fields(page.text).fields.keys() >= {"confirm_password", "confirm_code"}
    return {**form_of(page), **typed}


def code_of_now(site, app, steps=0):
    return app.at(int(site.installation.desk.clock().timestamp()) + steps * app.interval)


@pytest.mark.parametrize("proof", ["password", "code"])
def test_either_goes_on_with_the_same_form(with_app, proof):
    site, app, _ = with_app
    typed = {"password": PASSWORD, "code": code_of_now(site, app)}[proof]
    before = site.http.cookies[COOKIE]
    done = site.post(PATH, asked(site, **{f"confirm_{proof}": typed}))
    assert done.status_code == 200
    assert "/dashboard/sign-in#" in done.text
    assert site.http.cookies[COOKIE] != before
    unasked = site.send(PATH, email=f"after-{proof}@example.com", role="auditor")
    assert unasked.status_code == 200


def test_a_code_works_once_here_and_at_sign_in(with_app):
    site, app, _ = with_app
    code = code_of_now(site, app)
    form = asked(site, confirm_code=code)
    assert site.post(PATH, form).status_code == 200
    site.proven_a_while_ago()
    again = site.post(PATH, form)
    assert again.status_code == 403
    assert "or it was used" in Fields(again.text).wrong("confirm_code")
    assert code not in again.text
    other = Site(site.installation)
    other.send("/sign-in", email=site.user.email, password=PASSWORD)
    assert other.send("/sign-in/code", code=code).status_code == 403
    code = code_of_now(site, app, steps=1)
    assert other.send("/sign-in/code", code=code).status_code == 303
    assert site.post(PATH, {**form, "confirm_code": code}).status_code == 403


def test_wrong_codes_and_wrong_passwords_count_together(with_app):
    site, app, recovery_codes = with_app
    form = asked(site)
    assert Fields(site.post(PATH, form).text).wrong("confirm_password")  # nothing: not counted
    for name, typed in [
        ("code", "000000"), ("password", "not it"), ("code", "x"), ("code", recovery_codes[0]),
        ("password", "nor this"),
    ]:  # fmt: skip
        refused = site.post(PATH, {**form, f"confirm_{name}": typed})
        assert refused.status_code == 403
        assert Fields(refused.text).wrong(f"confirm_{name}")
    for right in ({"confirm_code": code_of_now(site, app)}, {"confirm_password": PASSWORD}):
        assert site.post(PATH, {**form, **right}).status_code == 429
    site.installation.services.shipper.ship_now()
    rows = site.installation.rows(
        "SELECT reason FROM audit_events WHERE type = 'user.sign_in_failed' AND target_id = :id",
        id=site.user.id,
    )
    assert sorted(row.reason for row in rows) == ["wrong_code"] * 3 + ["wrong_password"] * 2


def test_an_app_that_is_no_second_factor_yet_proves_nothing(installation, a_while_ago):
    """Its secret is on a page for whoever has the session."""
    site = a_while_ago
    session = sessions.find(installation.desk, site.http.cookies[COOKIE])
    second_factor.begin(installation.desk, session, ORIGIN)
    app = pyotp.TOTP(second_factor.enrolment(installation.desk, session).secret)
    page = site.send(PATH, email="nobody@example.com", role="auditor")
    assert "confirm_code" not in page.text
    typed = {**form_of(page), "confirm_code": code_of_now(site, app)}
    assert site.post(PATH, typed).status_code == 403
