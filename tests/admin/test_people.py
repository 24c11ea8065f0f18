"""Sign-in, sessions, second factors and roles, on both databases, time passing as a test says."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest

from app.admin import (
    account,
    client_secrets,
    clients,
    organizations,
    proofs,
    second_factor,
    sessions,
    sign_in,
    signing_keys,
    users,
)
from app.admin.organizations import OrganizationChanges
from app.admin.roles import ROLES
from app.admin.users import NewUser, UserChanges
from app.apikeys import endings, leavers, lifecycle
from app.apikeys.values import NewApiKey
from app.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited, SignInRefused
from app.records import Origin
from app.storage.store import Store
from keyturn.limits.values import Limit
from tests.support.people import ORIGIN, PASSWORD, invited, signed_in

ANOTHER = "eleven copper lanterns"


def later(desk, **away):
    """The same desk, so much later."""

    def clock():
        return desk.clock() + timedelta(**away)

    return replace(desk, clock=clock, store=Store(desk.store.engine, clock))


@pytest.fixture
def person(house):
    """An owner of the operator organization who has just chosen a password."""
    return signed_in(house)


@pytest.fixture(autouse=True)
def a_long_minute(monkeypatch):
    """A test must not depend on whether the next minute begins in it."""
    monkeypatch.setattr(proofs, "OF_ACCOUNT", (Limit(5, "day"),))


@pytest.fixture
def enrolled(house, person):
    """The same with a second factor: person, the app, and the recovery codes."""
    desk = house.desk
    second_factor.begin(desk, person.opened.session, ORIGIN)
    app = pyotp.TOTP(second_factor.enrolment(desk, person.opened.session).secret)
    made = second_factor.confirm(desk, person.opened.session, app.at(now(desk)), ORIGIN)
    return replace(person, opened=made.opened), app, made.recovery_codes


def now(desk, steps=0):
    return int(desk.clock().timestamp()) + 30 * steps


def enter(desk, person, password=PASSWORD, **also):
    return sign_in.by_password(
        desk, person.user.email, password, also.pop("origin", ORIGIN), **also
    )


def failures(house, person):
    """Reasons of the failed sign-ins of this user, once the journal was shipped."""
    house.services.shipper.ship_now()
    rows = house.rows(
        "SELECT reason FROM audit_events WHERE type = 'user.sign_in_failed'"
        " AND target_id = :id ORDER BY id",
        id=person.user.id,
    )
    return [row.reason for row in rows]


# By link, then by password -------------------------------------------------------------------


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


# The second factor ---------------------------------------------------------------------------


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


# Sessions ------------------------------------------------------------------------------------


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


# Roles, and who leaves -----------------------------------------------------------------------


def owner_of(house, tenant):
    return users.create(
        house.desk,
        house.operator,
        NewUser(email=f"o{house._name('o')[2:]}@example.com", role="owner",
                organization_id=tenant.id),
    ).user  # fmt: skip


@pytest.mark.parametrize("changes", [{"role": "admin"}, {"status": "disabled"}, None], ids=str)
def test_the_last_owner_stays(house, tenant, changes):
    desk, first, second = house.desk, owner_of(house, tenant), owner_of(house, tenant)

    def lose(owner):
        at = {"organization_id": tenant.id}
        if changes is None:
            users.remove(desk, house.operator, owner.id, **at)
        else:
            users.update(desk, house.operator, owner.id, UserChanges(**changes), **at)

    lose(first)
    with pytest.raises(Conflict):
        lose(second)
    users.update(desk, house.operator, second.id, UserChanges(role="owner", status="active"),
                 organization_id=tenant.id)  # fmt: skip


def test_two_owners_who_demote_each_other_at_once(postgres_house):
    from tests.admin.conftest import Tenant

    house = postgres_house
    tenant = Tenant(house)
    owners = [owner_of(house, tenant) for _ in range(2)]

    def demote(owner):
        try:
            users.update(house.desk, house.operator, owner.id, UserChanges(role="auditor"),
                         organization_id=tenant.id)  # fmt: skip
            return True
        except Conflict:
            return False

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(demote, owners)) == [False, True]


@pytest.mark.row("S1-11")
@pytest.mark.row("S2-47")
@pytest.mark.parametrize(("role", "may_read", "may_write"), [
    ("owner", True, True),
    ("admin", True, True),
    ("developer", True, True),
    ("auditor", True, False),
])  # fmt: skip
def test_what_a_role_may_do_with_keys(house, tenant, role, may_read, may_write):
    """Per action; each as somebody of this role who is signed in."""
    desk = house.desk
    actor = sessions.actor_of(
        desk, signed_in(house, role=role, organization_id=tenant.id).opened.session, ORIGIN
    )
    key = house.api_key(["rooms:read"], organization=tenant.id)
    new = NewApiKey(name="One", scopes=["keyturn:audit:read"])
    reading = (
        lambda: lifecycle.list_page(desk, actor),
        lambda: lifecycle.show(desk, actor, key.id),
    )
    writing = (
        lambda: lifecycle.create(desk, actor, new),
        lambda: endings.revoke(desk, actor, key.id),
        lambda: leavers.revoke_all(desk, actor, actor.id),
    )
    for allowed, acts in ((may_read, reading), (may_write, writing)):
        for act in acts:
            if allowed:
                act()
            else:
                with pytest.raises(Forbidden):
                    act()
    assert "keyturn:users:write" not in ROLES["developer"].tokens


def test_what_a_leaver_has_seen_is_ended_in_one_step(house, tenant):
    desk = house.desk
    eve = signed_in(house, organization_id=tenant.id)
    actor = sessions.actor_of(desk, eve.opened.session, ORIGIN)
    signed_in(house, organization_id=tenant.id)
    keys = [
        lifecycle.create(desk, actor, NewApiKey(name=f"k{n}", scopes=["keyturn:audit:read"]))
        for n in range(2)
    ]
    hers = clients.create(desk, actor, clients.NewClient(name="c", scopes=["rooms:read"]))
    theirs = house.client(["rooms:read"], organization=tenant.id)
    second = client_secrets.add(desk, actor, theirs.client_id, client_secrets.NewSecret())
    house.api_key(["rooms:read"], organization=tenant.id)
    users.remove(desk, house.operator, eve.user.id, organization_id=tenant.id)
    admin = replace(tenant.administrator, id="usr_admin")
    held = leavers.held(desk, admin, eve.user.id)
    assert {one.id for one in held.api_keys} == {key.api_key.id for key in keys}
    assert {one.id for one in held.client_secrets} == {hers.client_secret_id, second.id}
    ended = leavers.revoke_all(desk, admin, eve.user.id)
    assert (len(ended.api_keys), set(ended.client_secrets)) == (
        2, {hers.client_secret_id, second.id}
    )  # fmt: skip
    assert leavers.held(desk, admin, eve.user.id) == leavers.Held((), ())
    [left] = client_secrets.list_all(desk, admin, theirs.client_id)[1:]
    assert left.status == "active"
    assert len(tenant.events("client_secret.revoked")) == 2
    with pytest.raises(NotFound):
        leavers.held(desk, admin, "usr_nobody")


def test_somebody_elses_leavers_are_nobody(house, tenant, other):
    eve = signed_in(house, organization_id=tenant.id)
    for act in (leavers.held, leavers.revoke_all):
        with pytest.raises(NotFound):
            act(house.desk, other.administrator, eve.user.id)
