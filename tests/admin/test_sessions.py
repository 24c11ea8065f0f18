"""Sessions, and what ends them, on both databases."""

from datetime import timedelta

import pytest

from app.admin import (
    account,
    sessions,
    users,
)
from app.admin.users import UserChanges
from app.errors import Invalid, RateLimited, SignInRefused
from app.records import Origin
from tests.admin.people import ANOTHER, enter, later
from tests.support.people import ORIGIN, PASSWORD, signed_in

pytestmark = pytest.mark.usefixtures("a_long_minute")


@pytest.mark.parametrize(("away", "stands"), [
    ({"minutes": 29}, True),
    ({"minutes": 31}, False),
    ({"hours": 13}, False),
])  # fmt: skip
def test_a_session_ends_when_nobody_uses_it(house, person, away, stands):
    assert (sessions.find(later(house.desk, **away), person.opened.secret) is not None) is stands


def test_a_session_in_use_ends_in_the_evening(house, person):
    for minutes in range(25, 12 * 60, 25):
        assert sessions.find(later(house.desk, minutes=minutes), person.opened.secret)
    assert sessions.find(later(house.desk, minutes=721), person.opened.secret) is None


def test_use_is_noted_once_a_minute(house, person):
    def seen():
        return house.rows(
            "SELECT last_seen_at FROM sessions WHERE id = :id", id=person.opened.session.id
        )[0][0]

    first = seen()
    sessions.find(later(house.desk, seconds=50), person.opened.secret)
    assert seen() == first
    sessions.find(later(house.desk, seconds=70), person.opened.secret)
    second = seen()
    assert second != first
    sessions.find(later(house.desk, seconds=100), person.opened.secret)
    assert seen() == second


def test_what_has_ended_is_swept(house, person):
    desk = later(house.desk, minutes=20)
    kept = enter(desk, person)
    sessions.forget_ended(later(house.desk, minutes=40).store, desk.settings)
    left = {row.id for row in house.rows("SELECT id FROM sessions")}
    assert kept.session.id in left
    assert person.opened.session.id not in left


def test_showing_the_password_again_is_good_for_ten_minutes_and_a_new_secret(house, person):
    desk = house.desk
    opened = person.opened
    assert not opened.session.is_confirmed(desk.clock() + timedelta(minutes=11))
    with pytest.raises(Invalid) as refused:
        account.confirm(desk, opened.session, ANOTHER, ORIGIN)
    assert refused.value.field == "password"
    again = account.confirm(later(desk, minutes=11), opened.session, PASSWORD, ORIGIN)
    assert again.session.is_confirmed(desk.clock() + timedelta(minutes=11))
    assert sessions.find(desk, opened.secret) is None
    assert sessions.find(desk, again.secret).id == opened.session.id
    for _ in range(4):
        with pytest.raises(Invalid):
            account.confirm(desk, again.session, ANOTHER, ORIGIN)
    with pytest.raises(RateLimited):
        account.confirm(desk, again.session, PASSWORD, ORIGIN)


def test_one_sees_and_ends_ones_own_sessions(house, person):
    desk, stranger = house.desk, signed_in(house)
    phone = enter(desk, person, origin=Origin("req_2", "192.0.2.8", "A phone"))
    enter(desk, person)
    listed = sessions.list_own(desk, person.opened.session)
    assert len(listed) == 3
    assert ("192.0.2.8", "A phone") in {(one.ip, one.user_agent) for one in listed}
    sessions.end_own(desk, stranger.opened.session, phone.session.id, ORIGIN)
    assert sessions.find(desk, phone.secret)
    sessions.end_own(desk, person.opened.session, phone.session.id, ORIGIN)
    assert sessions.find(desk, phone.secret) is None
    sessions.end_others(desk, person.opened.session, ORIGIN)
    assert [one.id for one in sessions.list_own(desk, person.opened.session)] == [
        person.opened.session.id
    ]
    assert sessions.find(desk, stranger.opened.secret)


def _change_password(house, person):
    return account.change_password(house.desk, person.opened.session, PASSWORD, ANOTHER, ORIGIN)


ENDINGS = {
    "password changed": _change_password,
    "reset": lambda house, person: users.reset(house.desk, house.operator, person.user.id),
    "signed out": lambda house, person: users.sign_out(house.desk, house.operator, person.user.id),
    "removed": lambda house, person: users.remove(house.desk, house.operator, person.user.id),
    "disabled": lambda house, person: users.update(
        house.desk, house.operator, person.user.id, UserChanges(status="disabled")
    ),
    "another role": lambda house, person: users.update(
        house.desk, house.operator, person.user.id, UserChanges(role="auditor")
    ),
}


@pytest.mark.parametrize("how", ENDINGS, ids=str)
def test_what_ends_every_other_session(house, person, how):
    signed_in(house)
    other = enter(house.desk, person)
    ENDINGS[how](house, person)
    assert sessions.find(house.desk, other.secret) is None


def test_a_password_is_changed_by_the_one_before(house, person):
    desk = house.desk
    with pytest.raises(Invalid) as refused:
        account.change_password(desk, person.opened.session, ANOTHER, ANOTHER, ORIGIN)
    assert refused.value.field == "present"
    with pytest.raises(Invalid) as refused:
        account.change_password(desk, person.opened.session, PASSWORD, "password1234", ORIGIN)
    assert refused.value.field == "password"
    changed = _change_password(house, person)
    assert sessions.find(desk, changed.secret)
    with pytest.raises(SignInRefused):
        enter(desk, person)
    assert enter(desk, person, ANOTHER)
