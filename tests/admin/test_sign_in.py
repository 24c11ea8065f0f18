"""Sign-in by link and by password, and how often, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.admin import (
    account,
    proofs,
    sessions,
    sign_in,
    users,
)
from app.admin.users import UserChanges
from app.errors import Conflict, RateLimited, SignInRefused
from app.records import Origin
from keyturn.limits.values import Limit
from tests.admin.people import ANOTHER, enter, failures, later
from tests.support.people import ORIGIN, PASSWORD, invited, signed_in

pytestmark = pytest.mark.usefixtures("a_long_minute")


def test_a_link_leads_to_a_password_and_works_once(house):
    desk, made = house.desk, invited(house)
    begun = sign_in.by_link(desk, made.secret, ORIGIN)
    assert begun.session.awaits == sessions.PASSWORD
    assert len(sessions.actor_of(desk, begun.session, ORIGIN).scopes) == 0
    with pytest.raises(SignInRefused):
        sign_in.by_link(desk, made.secret, ORIGIN)
    chosen = account.choose_password(desk, begun.session, PASSWORD, ORIGIN, name="Ada")
    assert (chosen.session.awaits, chosen.session.user.name) == (None, "Ada")
    assert sessions.find(desk, begun.secret) is None
    assert sessions.find(desk, chosen.secret).is_confirmed(desk.clock())
    with pytest.raises(Conflict):
        account.choose_password(desk, chosen.session, ANOTHER, ORIGIN)


@pytest.mark.parametrize("away", [{"hours": 25}, {"days": 400}])
def test_a_link_expires(house, away):
    made = invited(house)
    with pytest.raises(SignInRefused):
        sign_in.by_link(later(house.desk, **away), made.secret, ORIGIN)


def test_one_link_used_twice_at_once_is_one_session(house):
    made = invited(house)

    def use(_):
        try:
            return sign_in.by_link(house.desk, made.secret, ORIGIN)
        except SignInRefused:
            return None

    with ThreadPoolExecutor(4) as threads:
        begun = [one for one in threads.map(use, range(4)) if one is not None]
    assert len(begun) == 1


def test_a_password_opens_a_session_of_its_own(house, person):
    first, second = enter(house.desk, person), enter(house.desk, person)
    assert first.secret != second.secret
    for one in (first, second):
        assert sessions.find(house.desk, one.secret).user.id == person.user.id
    stored = [bytes(row.digest) for row in house.rows("SELECT digest FROM sessions")]
    assert sessions.digest_of(first.secret) in stored
    assert first.secret.encode() not in stored


def test_whatever_is_wrong_there_is_one_answer(house, tenant):
    """And a reason, for those who look after the organization."""
    desk = house.desk
    ada = signed_in(house, organization_id=tenant.id)
    unfinished = invited(house, organization_id=tenant.id)
    said = set()

    def refused(email, password):
        with pytest.raises(SignInRefused) as refusal:
            sign_in.by_password(desk, email, password, ORIGIN)
        said.add((type(refusal.value), refusal.value.description))

    refused(ada.user.email, ANOTHER)
    refused(ada.user.email, "")
    refused("nobody@example.com", PASSWORD)
    refused("\x00", PASSWORD)
    refused(unfinished.user.email, PASSWORD)
    house.suspend(tenant.id)
    refused(ada.user.email, PASSWORD)
    house.resume(tenant.id)
    signed_in(house, organization_id=tenant.id)
    users.update(desk, house.operator, ada.user.id, UserChanges(status="disabled"),
                 organization_id=tenant.id)  # fmt: skip
    refused(ada.user.email, PASSWORD)
    assert len(said) == 1
    reasons = ["wrong_password", "wrong_password", "not_in_use", "not_in_use"]
    assert failures(house, ada) == reasons
    assert PASSWORD not in str(house.rows("SELECT * FROM audit_events"))


def test_an_address_in_any_case(house, person):
    email = f"  {person.user.email.upper()} "
    assert sign_in.by_password(house.desk, email, PASSWORD, ORIGIN).session.awaits is None


def test_a_cheaper_hash_becomes_a_dear_one_at_sign_in(house, person):
    from argon2 import PasswordHasher

    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)

    def stored():
        return house.rows("SELECT * FROM users WHERE id = :id", id=person.user.id)[0].password_hash

    with house.desk.store.transaction(house.operator) as work:
        users.users.get(
            work.session, person.user.organization_id, person.user.id
        ).password_hash = cheap
    with pytest.raises(SignInRefused):
        enter(house.desk, person, ANOTHER)
    assert stored() == cheap
    enter(house.desk, person)
    assert stored() != cheap
    assert not house.desk.passwords.is_outdated(stored())


# How often -----------------------------------------------------------------------------------


def test_a_stranger_is_slowed_down_and_keeps_nobody_out_of_a_known_browser(house, person):
    desk, stranger = house.desk, Origin("req_1", "203.0.113.9")
    known = proofs.known_browser(desk, person.user.email)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            enter(desk, person, ANOTHER, origin=stranger)
    for origin in (stranger, ORIGIN):
        with pytest.raises(RateLimited) as limited:
            enter(desk, person, origin=origin)
        assert limited.value.retry_after >= 1
    with pytest.raises(RateLimited):
        enter(desk, person, browser=proofs.known_browser(desk, "somebody@example.com"))
    assert enter(desk, person, browser=known).session.awaits is None
    for _ in range(5):
        with pytest.raises(SignInRefused):
            enter(desk, person, ANOTHER, browser=known)
    with pytest.raises(RateLimited):
        enter(desk, person, browser=known)


def test_an_address_that_nobody_has_is_slowed_down_alike(house):
    for _ in range(5):
        with pytest.raises(SignInRefused):
            sign_in.by_password(house.desk, f"no{id(house)}@example.com", PASSWORD, ORIGIN)
    with pytest.raises(RateLimited):
        sign_in.by_password(house.desk, f"no{id(house)}@example.com", PASSWORD, ORIGIN)


def test_many_at_once_are_no_more_than_one_after_the_other(house, person):
    def attempt(_):
        try:
            enter(house.desk, person, ANOTHER)
        except (SignInRefused, RateLimited) as refused:
            return type(refused)

    with ThreadPoolExecutor(8) as threads:
        ends = list(threads.map(attempt, range(8)))
    assert (ends.count(SignInRefused), ends.count(RateLimited)) == (5, 3)


def test_success_uses_nothing_up(house, person):
    for _ in range(8):
        enter(house.desk, person)


def test_an_address_on_the_network_has_its_own_limit(house):
    desk = replace(house.desk, settings=replace(
        house.desk.settings, sign_in_limit=Limit(3, "day")
    ))  # fmt: skip
    origin = Origin("req_1", "198.51.100.77")
    for number in range(3):
        with pytest.raises(SignInRefused):
            sign_in.by_password(desk, f"guess{number}@example.com", PASSWORD, origin)
    with pytest.raises(RateLimited):
        sign_in.by_password(desk, "guess9@example.com", PASSWORD, origin)
    with pytest.raises(RateLimited):
        sign_in.by_link(desk, "a-guess", origin)
