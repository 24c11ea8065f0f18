"""No request takes a connection to the database while it holds another one: else as many requests
as there are connections would each wait for one more, until all of them are refused."""

import threading
from contextlib import contextmanager

import pyotp
import pytest
from sqlalchemy import event

from app.admin import second_factor
from tests.support.pages import Site
from tests.support.people import ORIGIN, PASSWORD, invited, signed_in


@contextmanager
def counting(engine):
    """The most connections that one thread has held at once, as the one item of a list."""
    most, here = [0], threading.local()

    def taken(*_):
        here.held = getattr(here, "held", 0) + 1
        most[0] = max(most[0], here.held)

    def given_back(*_):
        here.held = getattr(here, "held", 1) - 1

    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", given_back)
    yield most
    event.remove(engine, "checkout", taken)
    event.remove(engine, "checkin", given_back)


@pytest.fixture
def cold(installation):
    """``cold(person)`` is a browser; with each of its requests the directory knows nothing yet. At
    the end, no request has held two connections."""
    forget = installation.services.directory.drop_everything
    opened = []

    def begin(person=None):
        site = Site(installation, person and person.opened.secret, person and person.user)
        site.http.event_hooks = {"request": [lambda _: forget()]}
        opened.append(site)
        return site

    with counting(installation.services.store.engine) as most:
        yield begin
    for one in opened:
        one.close()
    assert most == [1]


def test_pages(installation, cold):
    person = signed_in(installation)
    ada = cold(person)
    paths = [
        str(rule).removeprefix("/dashboard")
        for rule in installation.app.url_map.iter_rules()
        if rule.endpoint.startswith("dashboard.") and "GET" in rule.methods and not rule.arguments
    ]
    assert len(paths) > 25
    for path in paths:
        assert ada.get(path).status_code < 500, path


def test_signing_in(installation, cold):
    made = invited(installation)
    stranger = cold()
    link = {**stranger.form("/sign-in", "/dashboard/sign-in/link"), "secret": made.secret}
    assert stranger.post("/sign-in/link", link).status_code == 303
    assert stranger.send("/sign-in/password", name="Ada", password=PASSWORD).status_code == 303
    assert stranger.press("/", "/sign-out").status_code == 303
    answer = stranger.send("/sign-in", email=made.user.email, password=PASSWORD)
    assert answer.headers["Location"] == "/dashboard/"


def test_the_second_factor(installation, cold):
    person, desk = signed_in(installation), installation.desk
    second_factor.begin(desk, person.opened.session, ORIGIN)
    app = pyotp.TOTP(second_factor.enrolment(desk, person.opened.session).secret)
    ada = cold(person)
    page = ada.form("/account/second-factor", "/dashboard/account/second-factor/confirm")
    code = app.at(int(desk.clock().timestamp()) - 30)
    confirmed = ada.post("/account/second-factor/confirm", {**page, "code": code})
    assert "recovery codes" in confirmed.text
    stranger = cold()
    stranger.send("/sign-in", email=person.user.email, password=PASSWORD)
    assert stranger.send("/sign-in/code", code=app.now()).headers["Location"] == "/dashboard/"


def test_acting(installation, cold):
    ada, other = cold(signed_in(installation)), installation.organization()
    made = ada.send("/api-keys/new", name="One", scopes=["bookings:read"], environment="live")
    assert made.status_code == 200
    look = f"/organizations/{other}"
    assert ada.press(look, f"{look}/look").status_code == 303
    assert ada.send("/scopes/new", name="tours:read").status_code == 303
