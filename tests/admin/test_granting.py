"""Nobody gives what they do not hold (Keycloak CVE-2026-3121, -9795, -14614, -15572)."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from app import builtin
from app.admin import client_secrets, clients, presets, resources, scopes, users
from app.admin.client_secrets import NewSecret
from app.admin.clients import ClientChanges, NewClient
from app.admin.presets import NewPreset
from app.admin.resources import NewResource
from app.admin.scopes import NewScope
from app.admin.users import NewUser
from app.apikeys import endings, lifecycle, succession
from app.apikeys.values import NewApiKey
from app.errors import Forbidden, Invalid
from keyturn.scope import ScopeSet
from tests.admin.conftest import EVERYTHING

WRITING = (builtin.CLIENTS_WRITE, builtin.KEYS_WRITE, builtin.SCOPES_WRITE, builtin.USERS_WRITE)


def new_client(desk, actor, granted, organization_id=None):
    new = NewClient(name="x", scopes=granted, organization_id=organization_id)
    return clients.create(desk, actor, new).client


def new_key(desk, actor, granted, organization_id=None):
    new = NewApiKey(name="x", scopes=granted, organization_id=organization_id)
    return lifecycle.create(desk, actor, new).api_key


def widened_client(desk, actor, granted, organization_id=None):
    """A client that somebody mightier made, widened by this actor."""
    administrator = (
        actor
        if actor.type == "operator"
        else dataclasses.replace(actor, scopes=actor.scopes | ScopeSet.of(EVERYTHING))
    )
    made = new_client(desk, administrator, ["rooms:read"], organization_id)
    changes = ClientChanges(scopes=["rooms:read", *granted])
    return clients.update(desk, actor, made.client_id, changes, organization_id=organization_id)


WAYS = pytest.mark.parametrize("give", [new_client, new_key, widened_client])


@WAYS
@pytest.mark.parametrize(("held", "granted", "missing"), [
    (["rooms:read"], ["rooms:create"], "rooms:create"),
    (["rooms:read"], ["rooms:*"], "rooms:create rooms:write"),
    (["rooms:write"], ["rooms:write"], "rooms:create"),  # what it implies is given too
    (["rooms:read"], ["keyturn:*"], "keyturn:audit:read"),
    (["rooms:read"], ["keyturn:scopes:read"], "keyturn:scopes:read"),
    ([], ["desks:read"], "desks:read"),
])  # fmt: skip
def test_more_than_held_is_refused(tenant, give, held, granted, missing):
    actor = tenant.actor([*WRITING, *held])
    with pytest.raises(Forbidden) as refused:
        give(tenant.desk, actor, granted)
    assert missing in refused.value.description
    assert refused.value.field == "scopes"


@WAYS
@pytest.mark.parametrize(("held", "granted"), [
    (["rooms:read"], ["rooms:read"]),
    (["rooms:read", "rooms:write", "rooms:create"], ["rooms:*"]),
    (["rooms:create"], ["rooms:create"]),
    ([builtin.AUDIT_READ], [builtin.AUDIT_READ]),
])  # fmt: skip
def test_what_is_held_may_be_given(tenant, give, held, granted):
    assert give(tenant.desk, tenant.actor([*WRITING, *held]), granted).scopes


@WAYS
def test_who_administers_all_may_give_all_of_the_catalogue(tenant, give):
    assert give(tenant.desk, tenant.administrator, ["rooms:*", "keyturn:*"]).scopes


@WAYS
@pytest.mark.parametrize("missing", sorted(set(EVERYTHING) - set(WRITING)))
def test_all_means_all(tenant, give, missing):
    with pytest.raises(Forbidden, match="desks:read"):
        give(tenant.desk, tenant.actor(set(EVERYTHING) - {missing}), ["desks:read"])


@WAYS
@pytest.mark.parametrize("granted", [
    "organizations:write", "act-as-organization", "signing-keys:*", "nothing"
])  # fmt: skip
def test_operators_scopes_are_unknown_elsewhere(house, tenant, give, granted):
    for actor in (tenant.administrator, house.operator):
        with pytest.raises(Invalid, match="Unknown scope") as refused:
            give(tenant.desk, actor, [f"keyturn:{granted}"], tenant.id)
        assert refused.value.field == "scopes"


@WAYS
def test_the_operator_gives_in_another_organization_what_is_known_there(house, tenant, give):
    operator = dataclasses.replace(
        house.operator,
        type="user",
        scopes=ScopeSet.of([*EVERYTHING, builtin.ORGANIZATIONS_WRITE]),
    )
    assert give(house.desk, operator, ["desks:read"], tenant.id).scopes
    # … but in its own there is more, and it does not hold all of that.
    for make in (new_client, new_key):
        with pytest.raises(Forbidden):
            make(house.desk, operator, ["bookings:read"])
    weaker = dataclasses.replace(
        operator, scopes=operator.scopes.without(ScopeSet.of([builtin.USAGE_READ]))
    )
    with pytest.raises(Forbidden):
        give(house.desk, weaker, ["desks:read"], tenant.id)


def test_a_preset_gives_nothing_by_itself_and_no_more_when_used(tenant):
    writer = tenant.actor([*WRITING, "rooms:read"])
    presets.create(tenant.desk, writer, NewPreset(name="all", scopes=["rooms:*", "keyturn:*"]))
    for make, new in ((clients.create, NewClient), (lifecycle.create, NewApiKey)):
        with pytest.raises(Forbidden):
            make(tenant.desk, writer, new(name="x", preset="all"))


def test_implying_is_giving(tenant):
    writer = tenant.actor([*WRITING, "rooms:read"])
    scopes.add(tenant.desk, writer, NewScope(name="tours:read", implies=["rooms:read"]))
    with pytest.raises(Forbidden, match="rooms:create"):
        scopes.add(tenant.desk, writer, NewScope(name="rooms:list", implies=["rooms:write"]))


def test_a_secret_of_a_mightier_client_is_not_to_be_had(tenant):
    mighty = new_client(tenant.desk, tenant.administrator, ["rooms:*"]).client_id
    with pytest.raises(Forbidden):
        client_secrets.add(tenant.desk, tenant.actor(WRITING), mighty, NewSecret())
    assert len(client_secrets.list_all(tenant.desk, tenant.administrator, mighty)) == 1


def test_a_mightier_key_is_not_rotated_into_ones_own_hands(tenant):
    mighty = new_key(tenant.desk, tenant.administrator, ["rooms:*"]).id
    with pytest.raises(Forbidden):
        succession.rotate(tenant.desk, tenant.actor(WRITING), mighty)
    assert lifecycle.show(tenant.desk, tenant.administrator, mighty).rotated_to is None
    # It may be stopped, though: that gives nobody anything.
    assert endings.revoke(tenant.desk, tenant.actor(WRITING), mighty).status == "revoked"


def test_narrowing_needs_no_holding(tenant):
    made = new_client(tenant.desk, tenant.administrator, ["rooms:*", "desks:read"])
    narrowed = clients.update(
        tenant.desk, tenant.actor(WRITING), made.client_id, ClientChanges(scopes=["rooms:*"])
    )
    assert narrowed.scopes == ("rooms:*",)


@pytest.mark.parametrize(("held", "role", "allowed"), [
    (EVERYTHING, "owner", True),
    (set(EVERYTHING) - {builtin.INTROSPECT}, "owner", False),
    (set(EVERYTHING) - {builtin.INTROSPECT}, "admin", True),
    ({builtin.USERS_WRITE, builtin.USERS_READ}, "auditor", False),
    ({one for one in EVERYTHING if one.endswith(":read")} | {builtin.USERS_WRITE}, "auditor", True),
])  # fmt: skip
def test_a_role_is_a_grant(tenant, held, role, allowed):
    new = NewUser(email=f"{tenant.id}@role.example", role=role)
    owned = users.create(
        tenant.desk, tenant.administrator, NewUser(email=f"{tenant.id}@own.example", role=role)
    ).user
    actor = tenant.actor(held)
    if allowed:
        assert users.create(tenant.desk, actor, new).user.role == role
        assert users.reset(tenant.desk, actor, owned.id).secret
    else:
        with pytest.raises(Forbidden):
            users.create(tenant.desk, actor, new)
        with pytest.raises(Forbidden):  # whoever resets it signs in as it
            users.reset(tenant.desk, actor, owned.id)


def test_a_test_credential_does_not_touch_what_is_live(tenant):
    desk, administrator = tenant.desk, tenant.administrator
    tester = tenant.actor(EVERYTHING, type="client", environment="test")
    live = new_client(desk, administrator, ["rooms:read"])
    live_key = new_key(desk, administrator, ["rooms:read"])
    assert live.environment == live_key.environment == "live"
    for refused in (
        lambda: clients.create(
            desk, tester, NewClient(name="x", scopes=["rooms:read"], environment="live")
        ),
        lambda: lifecycle.create(
            desk, tester, NewApiKey(name="x", scopes=["rooms:read"], environment="live")
        ),
        lambda: clients.update(desk, tester, live.client_id, ClientChanges(name="y")),
        lambda: clients.disable(desk, tester, live.client_id),
        lambda: clients.delete(desk, tester, live.client_id),
        lambda: client_secrets.add(desk, tester, live.client_id, NewSecret()),
        lambda: succession.rotate(desk, tester, live_key.id),
        lambda: endings.revoke(desk, tester, live_key.id),
    ):
        with pytest.raises(Forbidden, match="live"):
            refused()
    # Where nothing is said, what it makes is where it is.
    assert new_client(desk, tester, ["rooms:read"]).environment == "test"
    assert new_key(desk, tester, ["rooms:read"]).environment == "test"


@pytest.mark.row("S3-6")
def test_a_key_made_by_a_key_ends_with_it(tenant):
    desk = tenant.desk
    maker = lifecycle.create(
        desk,
        tenant.administrator,
        NewApiKey(name="maker", scopes=["keyturn:*", "rooms:read"], expires_in=3600),
    ).api_key
    actor = tenant.actor(maker.scopes, type="api_key", id=maker.id)
    same = lifecycle.create(desk, actor, NewApiKey(name="x", scopes=["rooms:read"])).api_key
    assert same.expires_at == maker.expires_at
    assert same.created_by == maker.id
    shorter = NewApiKey(name="x", scopes=["rooms:read"], expires_in=60)
    assert lifecycle.create(desk, actor, shorter).api_key.expires_at < maker.expires_at
    longer = NewApiKey(
        name="x", scopes=["rooms:read"], expires_at=maker.expires_at + timedelta(seconds=1)
    )
    with pytest.raises(Forbidden, match="outlive"):
        lifecycle.create(desk, actor, longer)
    eternal = new_key(desk, tenant.administrator, ["rooms:read"])
    with pytest.raises(Forbidden, match="outlive"):
        succession.rotate(desk, actor, eternal.id)
    assert succession.rotate(desk, actor, same.id).api_key.expires_at == maker.expires_at


def test_audiences_are_the_organizations(tenant, other):
    desk = tenant.desk
    for owner in (tenant, other):
        resources.create(
            desk, owner.administrator, NewResource(identifier=f"https://{owner.id[4:]}.example")
        )
    mine, theirs = (f"https://{one.id[4:]}.example" for one in (tenant, other))
    new = NewClient(name="x", scopes=["rooms:read"], audiences=[mine, desk.settings.audience])
    assert clients.create(desk, tenant.administrator, new).client.audiences == (
        mine,
        desk.settings.audience,
    )
    with pytest.raises(Invalid) as refused:
        clients.create(desk, tenant.administrator, dataclasses.replace(new, audiences=[theirs]))
    assert refused.value.field == "audiences"
