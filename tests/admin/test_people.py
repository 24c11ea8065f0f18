"""Roles of people, and what a leaver leaves, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.admin import (
    client_secrets,
    clients,
    sessions,
    users,
)
from app.admin.roles import ROLES
from app.admin.users import NewUser, UserChanges
from app.apikeys import endings, leavers, lifecycle
from app.apikeys.values import NewApiKey
from app.errors import Conflict, Forbidden, NotFound
from tests.support.people import ORIGIN, signed_in


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
    pages, cursor = [], None
    while not pages or cursor:
        page = leavers.held(desk, admin, eve.user.id, limit=1, cursor=cursor)
        pages += [one.id for one in (*page.api_keys, *page.client_secrets)]
        cursor = page.next_cursor
    assert pages == [one.id for one in (*held.api_keys, *held.client_secrets)]
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
