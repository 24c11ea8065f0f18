"""The second factor, from an app's code to the last recovery code, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest

from app.admin import (
    organizations,
    proofs,
    second_factor,
    sessions,
    sign_in,
    signing_keys,
    users,
)
from app.admin.organizations import OrganizationChanges
from app.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited, SignInRefused
from tests.admin.people import ANOTHER, enter, failures, later, now
from tests.support.people import ORIGIN, PASSWORD, signed_in

pytestmark = pytest.mark.usefixtures("a_long_minute")


def test_with_a_second_factor_a_password_is_half_the_way(house, enrolled):
    desk, (person, app, _) = house.desk, enrolled
    half = enter(desk, person)
    assert sessions.find(desk, half.secret).awaits == sessions.CODE
    assert len(sessions.actor_of(desk, half.session, ORIGIN).scopes) == 0
    with pytest.raises(SignInRefused) as refused:
        sign_in.by_code(desk, half.session, "000000", ORIGIN)
    assert refused.value.description == proofs.REFUSED
    assert failures(house, person) == ["wrong_code"]
    whole = sign_in.by_code(desk, half.session, app.at(now(desk, 1)), ORIGIN)
    assert whole.session.awaits is None
    assert sessions.find(desk, half.secret) is None
    assert sessions.find(desk, whole.secret).user.has_second_factor
    assert sessions.find(later(desk, minutes=11), enter(desk, person).secret) is None


def test_a_code_works_once_also_for_two_at_once(house, enrolled):
    desk, (person, app, _) = house.desk, enrolled
    code = app.at(now(desk, 1))
    halves = [enter(desk, person) for _ in range(4)]

    def use(half):
        try:
            return sign_in.by_code(desk, half.session, code, ORIGIN)
        except SignInRefused:
            return None

    with ThreadPoolExecutor(4) as threads:
        assert len([one for one in threads.map(use, halves) if one]) == 1


def test_a_code_is_not_guessed(house, enrolled):
    desk, (person, app, _) = house.desk, enrolled
    half = enter(desk, person)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            sign_in.by_code(desk, half.session, "not it", ORIGIN)
    with pytest.raises(RateLimited):
        sign_in.by_code(desk, half.session, app.at(now(desk, 1)), ORIGIN)


def test_a_recovery_code_works_once(house, enrolled):
    desk, (person, _, codes) = house.desk, enrolled
    assert len(set(codes)) == 10
    half = enter(desk, person)
    whole = sign_in.by_code(desk, half.session, codes[3].lower().replace("-", " "), ORIGIN)
    assert second_factor.recovery_codes_left(desk, whole.session) == 9
    with pytest.raises(SignInRefused):
        sign_in.by_code(desk, enter(desk, person).session, codes[3], ORIGIN)
    fresh = second_factor.renew_recovery_codes(desk, whole.session, ORIGIN)
    with pytest.raises(SignInRefused):
        sign_in.by_code(desk, enter(desk, person).session, codes[4], ORIGIN)
    sign_in.by_code(desk, enter(desk, person).session, fresh[0], ORIGIN)
    everything = str(house.rows("SELECT * FROM users")) + str(
        house.rows("SELECT * FROM audit_events")
    )
    assert not any(code in everything for code in (*codes, *fresh))


def test_the_apps_secret_lies_sealed_and_is_sealed_anew(house, enrolled):
    desk, (person, app, _) = house.desk, enrolled

    def sealed():
        return bytes(
            house.rows("SELECT totp_secret FROM users WHERE id = :id", id=person.user.id)[0][0]
        )

    before = sealed()
    assert app.secret.encode() not in before
    signing_keys.reseal(desk, house.operator)
    assert sealed() != before
    half = enter(desk, person)
    assert sign_in.by_code(desk, half.session, app.at(now(desk, 1)), ORIGIN)


def test_it_is_not_on_before_a_code_has_proven_it(house, person):
    desk, session = house.desk, person.opened.session
    with pytest.raises(Conflict):
        second_factor.confirm(desk, session, "000000", ORIGIN)
    second_factor.begin(desk, session, ORIGIN)
    first = second_factor.enrolment(desk, session).secret
    with pytest.raises(Invalid) as refused:
        second_factor.confirm(desk, session, "000000", ORIGIN)
    assert refused.value.field == "code"
    assert enter(desk, person).session.awaits is None
    second_factor.begin(desk, session, ORIGIN)
    assert second_factor.enrolment(desk, session).secret != first


def test_it_is_turned_off_by_the_password(house, enrolled):
    desk, (person, _, _) = house.desk, enrolled
    with pytest.raises(Conflict):
        second_factor.begin(desk, person.opened.session, ORIGIN)
    with pytest.raises(Invalid):
        second_factor.turn_off(desk, person.opened.session, ANOTHER, ORIGIN)
    assert enter(desk, person).session.awaits == sessions.CODE
    second_factor.turn_off(desk, person.opened.session, PASSWORD, ORIGIN)
    assert enter(desk, person).session.awaits is None


def test_a_reset_forgets_it_only_when_asked_to(house, enrolled):
    desk, (person, _, _) = house.desk, enrolled
    made = users.reset(desk, house.operator, person.user.id)
    assert sessions.find(desk, person.opened.secret) is None
    assert sign_in.by_link(desk, made.secret, ORIGIN).session.awaits == sessions.CODE
    made = users.reset(desk, house.operator, person.user.id, second_factor=True)
    assert sign_in.by_link(desk, made.secret, ORIGIN).session.awaits == sessions.PASSWORD


def test_an_organization_may_ask_everybody_for_one(house, tenant):
    desk = house.desk
    person = signed_in(house, organization_id=tenant.id)
    owner = sessions.actor_of(desk, person.opened.session, ORIGIN)
    changes = OrganizationChanges(require_second_factor=True)
    changed = organizations.update(desk, owner, tenant.id, changes)
    assert changed.require_second_factor
    found = sessions.find(desk, person.opened.secret)
    assert found.awaits == sessions.SECOND_FACTOR
    assert len(sessions.actor_of(desk, found, ORIGIN).scopes) == 0
    second_factor.begin(desk, found, ORIGIN)
    app = pyotp.TOTP(second_factor.enrolment(desk, found).secret)
    done = second_factor.confirm(desk, found, app.at(now(desk)), ORIGIN)
    assert done.opened.session.awaits is None
    also = OrganizationChanges(require_second_factor=False, name="Another")
    with pytest.raises(Forbidden):
        organizations.update(desk, owner, tenant.id, also)
    with pytest.raises(NotFound):
        organizations.update(desk, owner, house.organization_id, changes)
