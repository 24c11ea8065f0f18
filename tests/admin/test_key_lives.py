"""Keys that are compromised, left behind, unused or too old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.admin import scopes
from app.admin.rights import LIVE
from app.admin.scopes import NewScope
from app.apikeys import endings, lifecycle, policies, schedule, succession
from app.apikeys.policies import KeyPolicy, KeyPolicyChanges
from app.apikeys.values import ApiKeyChanges, ApiKeyFilter, NewApiKey
from app.errors import Conflict, Forbidden, Invalid, PlanLimit
from app.storage.models import ApiKeyRow
from app.storage.store import Store
from tests.admin.conftest import EVERYTHING, Tenant
from tests.admin.test_api_keys import THREADS, make, on_plan, together


def status(tenant, key_id):
    return lifecycle.show(tenant.desk, tenant.administrator, key_id).status


def listed(tenant, desk=None, **wanted):
    page = lifecycle.list_page(desk or tenant.desk, tenant.administrator, ApiKeyFilter(**wanted))
    return {key.id for key in page.data}


def store_in(house, **time):
    """The installation's database as it will be seen then."""
    return Store(house.services.store.engine, lambda: datetime.now(UTC) + timedelta(**time))


def aged(house, key_id, *, days, used=None):
    """Let a key have been made, and used, so many days ago."""
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=days)
    with house.desk.store.transaction(house.operator) as work:
        row = work.session.get_one(ApiKeyRow, key_id)
        row.created_at = row.updated_at = long_ago
        row.last_used_at = None if used is None else now - timedelta(days=used)


# Compromised -------------------------------------------------------------------------------


@pytest.mark.row("S0-12", "S2-49")
def test_a_compromised_key_is_revoked_and_replaced_in_one_step(tenant):
    old = make(tenant, scopes=["rooms:*"], allowed_ips=["10.0.0.0/8"], expires_in=3600)
    new = succession.replace(
        tenant.desk, tenant.administrator, old.api_key.id, reason="in a public repository"
    )
    before = lifecycle.show(tenant.desk, tenant.administrator, old.api_key.id)
    assert (before.status, before.revoked_reason) == ("revoked", "in a public repository")
    assert (before.rotated_to, new.api_key.rotated_from) == (new.api_key.id, before.id)
    assert new.api_key.status == "active"
    assert new.key != old.key
    for field in ("name", "scopes", "allowed_ips", "environment", "expires_at", "created_by"):
        assert getattr(new.api_key, field) == getattr(old.api_key, field)
    [event] = tenant.events("api_key.revoked")
    assert "public repository" in str(event.details)
    assert new.api_key.id in str(event.details)


def test_replacing_works_at_the_cap_and_never_passes_it(house, tenant):
    on_plan(house, tenant, max_active_keys=1)
    key = make(tenant).api_key
    key = succession.replace(tenant.desk, tenant.administrator, key.id).api_key
    assert key.status == "active"
    lifecycle.disable(tenant.desk, tenant.administrator, key.id)
    make(tenant)
    with pytest.raises(PlanLimit):
        succession.replace(tenant.desk, tenant.administrator, key.id)
    assert status(tenant, key.id) == "disabled"


@pytest.mark.parametrize("end", [succession.rotate, endings.revoke, succession.replace])
def test_what_has_ended_or_been_followed_is_not_replaced(tenant, end):
    key = make(tenant).api_key.id
    end(tenant.desk, tenant.administrator, key)
    with pytest.raises(Conflict):
        succession.replace(tenant.desk, tenant.administrator, key)


def test_who_may_not_make_such_a_key_leaves_it_as_it_is(tenant):
    key = make(tenant).api_key.id
    poor = tenant.actor(["keyturn:keys:write"])
    with pytest.raises(Forbidden):
        succession.replace(tenant.desk, poor, key)
    assert status(tenant, key) == "active"
    assert endings.revoke(tenant.desk, poor, key).status == "revoked"


def test_replacing_at_once_makes_one_successor(postgres_house):
    tenant = Tenant(postgres_house)
    key = make(tenant).api_key.id
    answers = together(*[
        lambda: succession.replace(tenant.desk, tenant.administrator, key),
        lambda: succession.rotate(tenant.desk, tenant.administrator, key),
    ] * (THREADS // 2))  # fmt: skip
    assert [isinstance(answer, Conflict) for answer in answers].count(False) == 1
    assert len(listed(tenant)) == 2


@pytest.mark.row("S2-55", "S2-56")
@pytest.mark.parametrize("reason", [*endings.REASONS, "the new data centre"])
def test_why_a_key_was_rotated_is_kept(tenant, reason):
    key = make(tenant).api_key
    succession.rotate(tenant.desk, tenant.administrator, key.id, reason=reason)
    [event] = tenant.events("api_key.rotated")
    assert reason in str(event.details)


# Left behind -------------------------------------------------------------------------------


@pytest.mark.row("S2-55")
def test_all_that_somebody_has_seen_is_revoked_at_once(house, tenant, other):
    leaver = tenant.actor((*EVERYTHING, "rooms:read"), id="usr_leaver")
    mine = lifecycle.create(tenant.desk, leaver, NewApiKey(name="x", scopes=["rooms:read"]))
    rotated = make(tenant).api_key
    seen = succession.rotate(tenant.desk, leaver, rotated.id, grace_seconds=3600).api_key
    disabled = lifecycle.create(tenant.desk, leaver, NewApiKey(name="x", scopes=[])).api_key
    lifecycle.disable(tenant.desk, leaver, disabled.id)
    over = lifecycle.create(tenant.desk, leaver, NewApiKey(name="x", scopes=[])).api_key
    endings.revoke(tenant.desk, leaver, over.id, reason="earlier")
    stranger = other.actor(EVERYTHING, id="usr_leaver")
    theirs = lifecycle.create(other.desk, stranger, NewApiKey(name="x", scopes=[])).api_key

    revoked = endings.revoke_all(tenant.desk, tenant.administrator, "usr_leaver", reason="has left")
    assert set(revoked) == {mine.api_key.id, seen.id, disabled.id}
    shown = lifecycle.show(tenant.desk, tenant.administrator, mine.api_key.id)
    assert (shown.status, shown.revoked_reason) == ("revoked", "has left")
    assert status(tenant, rotated.id) == "active"  # in its grace, and never seen by the leaver
    assert status(other, theirs.id) == "active"
    assert lifecycle.show(tenant.desk, leaver, over.id).revoked_reason == "earlier"
    assert len(tenant.events("api_key.revoked")) == 4
    assert not endings.revoke_all(tenant.desk, tenant.administrator, "usr_leaver")


def test_bulk_revocation_is_all_or_nothing(tenant):
    keys = [make(tenant, environment=name).api_key.id for name in ("test", "live")]
    tester = tenant.actor(EVERYTHING, environment="test")
    with pytest.raises(Forbidden):
        endings.revoke_all(tenant.desk, tester, tenant.administrator.id)
    assert {status(tenant, key) for key in keys} == {"active"}
    for bad in ("", "  ", "x" * 65, "a\x00b"):
        with pytest.raises(Invalid) as refused:
            endings.revoke_all(tenant.desk, tenant.administrator, bad)
        assert refused.value.field == "created_by"


# Unused, and too old -----------------------------------------------------------------------


@pytest.mark.row("S2-46")
def test_keys_that_nobody_uses_are_found(house, tenant):
    never, lately, long_ago, young = (make(tenant).api_key.id for _ in range(4))
    aged(house, never, days=40)
    aged(house, lately, days=40, used=1)
    aged(house, long_ago, days=80, used=31)
    assert listed(tenant, inactive_days=30) == {never, long_ago}
    assert listed(tenant, inactive_days=60) == set()
    assert young in listed(tenant)
    for bad in (0, -1, 10_000):
        with pytest.raises(Invalid) as refused:
            listed(tenant, inactive_days=bad)
        assert refused.value.field == "inactive_days"


@pytest.mark.row("S2-54")
def test_a_policy_of_ninety_days_says_what_is_due(house, tenant):
    ages = {"fresh": 75, "due": 77, "overdue": 91}
    keys = {name: make(tenant, name=name).api_key.id for name in ages}
    for name, days in ages.items():
        aged(house, keys[name], days=days)
    assert listed(tenant, rotation="overdue") == set()
    assert lifecycle.show(tenant.desk, tenant.administrator, keys["overdue"]).rotate_by is None
    policies.update(tenant.desk, tenant.administrator, KeyPolicyChanges(rotate_after_days=90))
    for name in ("due", "overdue"):
        assert listed(tenant, rotation=name) == {keys[name]}
        assert lifecycle.show(tenant.desk, tenant.administrator, keys[name]).rotation == name
    fresh = lifecycle.show(tenant.desk, tenant.administrator, keys["fresh"])
    assert (fresh.rotation, fresh.rotate_by) == (None, fresh.created_at + timedelta(days=90))

    for _ in range(2):
        schedule.keep_policies(house.services.store)
    told = {kind: [e.target_id for e in tenant.events(f"api_key.rotation_{kind}")] for kind in ages}
    assert told == {
        "fresh": [], "due": sorted([keys["due"], keys["overdue"]]), "overdue": [keys["overdue"]]
    }  # fmt: skip
    succession.rotate(tenant.desk, tenant.administrator, keys["overdue"], grace_seconds=60)
    assert listed(tenant, rotation="overdue") == set()


@pytest.mark.row("S2-46")
def test_unused_keys_are_reported_and_then_disabled(house, tenant):
    policies.update(
        tenant.desk,
        tenant.administrator,
        KeyPolicyChanges(warn_inactive_days=30, disable_inactive_days=60),
    )
    unused, used = make(tenant).api_key.id, make(tenant).api_key.id
    aged(house, unused, days=31)
    aged(house, used, days=70, used=2)
    for _ in range(2):
        schedule.keep_policies(house.services.store)
    assert [event.target_id for event in tenant.events("api_key.inactive")] == [unused]
    assert status(tenant, unused) == "active"
    aged(house, unused, days=61)
    schedule.keep_policies(house.services.store)
    assert (status(tenant, unused), status(tenant, used)) == ("disabled", "active")
    [event] = tenant.events("api_key.disabled")
    assert (event.actor_type, event.target_id) == ("system", unused)
    # Whoever enables it again has another such time for it.
    lifecycle.enable(tenant.desk, tenant.administrator, unused)
    schedule.keep_policies(house.services.store)
    assert status(tenant, unused) == "active"


@pytest.mark.parametrize(("field", "values"), [
    ("rotate_after_days", {"rotate_after_days": 0}),
    ("rotate_after_days", {"rotate_after_days": 4000}),
    ("warn_inactive_days", {"warn_inactive_days": -1}),
    ("disable_inactive_days", {"disable_inactive_days": 60}),
    ("disable_inactive_days", {"warn_inactive_days": 60, "disable_inactive_days": 60}),
])  # fmt: skip
def test_a_policy_that_cannot_be(tenant, field, values):
    with pytest.raises(Invalid) as refused:
        policies.update(tenant.desk, tenant.administrator, KeyPolicyChanges(**values))
    assert refused.value.field == field
    assert policies.show(tenant.desk, tenant.administrator) == KeyPolicy()


def test_a_policy_is_for_every_environment(tenant):
    changes = KeyPolicyChanges(rotate_after_days=30)
    with pytest.raises(Forbidden):
        policies.update(tenant.desk, tenant.actor(EVERYTHING, environment="test"), changes)
    live = tenant.actor(EVERYTHING, environment=LIVE)
    assert policies.update(tenant.desk, live, changes).rotate_after_days == 30
    [event] = tenant.events("key_policy.updated")
    assert "30" in str(event.details)
    none = KeyPolicyChanges(rotate_after_days=None)
    assert policies.update(tenant.desk, live, none) == KeyPolicy()


# Time --------------------------------------------------------------------------------------


@pytest.mark.row("S2-8")
def test_the_end_of_a_life_is_written_down_once(house, tenant):
    brief, graceful, eternal = make(tenant, expires_in=60), make(tenant), make(tenant)
    new = succession.rotate(
        tenant.desk, tenant.administrator, graceful.api_key.id, grace_seconds=60
    )
    assert lifecycle.show(tenant.desk, tenant.administrator, graceful.api_key.id).in_grace
    schedule.write_down_ends(house.services.store)
    assert not tenant.events("api_key.expired")
    later = store_in(house, minutes=2)
    for _ in range(2):
        schedule.write_down_ends(later)
    [expired] = tenant.events("api_key.expired")
    [ended] = tenant.events("api_key.grace_ended")
    assert (expired.target_id, ended.target_id) == (brief.api_key.id, graceful.api_key.id)
    for made, ends in ((brief, "expired"), (graceful, "rotated"), (eternal, "active")):
        assert status(tenant, made.api_key.id) == ends
        assert made.api_key.id in listed(tenant, status=ends)
    assert status(tenant, new.api_key.id) == "active"
    with pytest.raises(Conflict):
        lifecycle.enable(tenant.desk, tenant.administrator, brief.api_key.id)


@pytest.mark.row("S2-57")
def test_the_activity_log_shows_a_keys_predecessors(tenant):
    keys = [make(tenant).api_key]
    for _ in range(3):
        keys.append(succession.rotate(tenant.desk, tenant.administrator, keys[-1].id).api_key)
    came_from = {event.target_id: str(event.details) for event in tenant.events("api_key.created")}
    chain = [keys[-1].id]
    while chain[-1] != keys[0].id:
        chain.append(next(key.id for key in keys if key.id in came_from[chain[-1]]))
    assert chain == [key.id for key in reversed(keys)]


@pytest.mark.row("S2-8")
def test_that_somebody_looked_is_remembered(house, tenant):
    key = make(tenant).api_key.id
    lifecycle.show(tenant.desk, tenant.administrator, key)
    house.services.shipper.ship_now()
    [event] = tenant.events("api_key.viewed")
    assert (event.target_id, event.actor_id) == (key, tenant.administrator.id)


# Without an Origin -------------------------------------------------------------------------


@pytest.mark.row("C-9")
def test_a_key_says_what_it_does_without_an_origin(house, tenant):
    scopes.add(tenant.desk, tenant.administrator, NewScope(name="rooms:browse", public=True))
    page = {"kind": "publishable", "scopes": ["rooms:browse"], "allowed_domains": ["a.example"]}
    assert make(tenant).api_key.missing_origin == "deny"
    house.change_organization(tenant.id, profile="reservekit")
    key = make(tenant, allowed_domains=["a.example"]).api_key
    assert key.missing_origin == "allow"
    assert make(tenant, missing_origin="deny").api_key.missing_origin == "deny"
    assert make(tenant, **page).api_key.missing_origin == "deny"
    successor = succession.rotate(tenant.desk, tenant.administrator, key.id).api_key
    changes = ApiKeyChanges(missing_origin="deny")
    changed = lifecycle.update(tenant.desk, tenant.administrator, successor.id, changes)
    assert (successor.missing_origin, changed.missing_origin) == ("allow", "deny")
    for wrong in ({"missing_origin": "maybe"}, {**page, "missing_origin": "allow"}):
        with pytest.raises(Invalid) as refused:
            make(tenant, **wrong)
        assert refused.value.field == "missing_origin"
