"""The life of an API key, from creation to its end."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest

from app.admin import organizations, plans, scopes
from app.admin.organizations import OrganizationChanges
from app.admin.plans import NewPlan, PlanChanges
from app.admin.presets import NewPreset, PresetChanges
from app.admin.presets import create as create_preset
from app.admin.presets import update as update_preset
from app.admin.scopes import NewScope
from app.apikeys import endings, inspection, lifecycle, succession
from app.apikeys.values import ApiKeyChanges, ApiKeyFilter, NewApiKey
from app.errors import AdminError, Conflict, Invalid, PlanLimit
from keyturn.apikey import DEFAULT_API_KEY
from tests.admin.conftest import Tenant

THREADS = 8


def make(tenant, **also):
    values = {"name": "x", "scopes": None if "preset" in also else ["rooms:read"]}
    return lifecycle.create(tenant.desk, tenant.administrator, NewApiKey(**(values | also)))


def on_plan(house, tenant, **plan):
    made = plans.create(house.desk, house.operator, NewPlan(name=f"plan {tenant.id}", **plan))
    changes = OrganizationChanges(plan_id=made.id)
    organizations.update(house.desk, house.operator, tenant.id, changes)
    return made.id


def together(*acts):
    """Each act in its own thread, all starting at once; what each answered or raised."""
    barrier = Barrier(len(acts))

    def run(act):
        barrier.wait()
        try:
            return act()
        except AdminError as refusal:
            return refusal

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


# Creation ----------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_kept_as_its_hash(house, tenant):
    made = make(tenant, name="Website", description="For the site", expires_in=3600)
    assert DEFAULT_API_KEY.read(made.key).environment == "live"
    shown = lifecycle.show(tenant.desk, tenant.administrator, made.api_key.id)
    assert shown == made.api_key
    assert (shown.status, shown.prefix, shown.last_four) == ("active", "kt_live", made.key[-4:])
    assert made.key not in repr(made)
    [row] = house.rows("SELECT * FROM api_keys WHERE id = :id", id=shown.id)
    assert bytes(row.digest) == hashlib.sha256(made.key.encode()).digest()
    [event] = tenant.events("api_key.created")
    assert event.target_id == shown.id
    secret = made.key.split("_")[2]
    for table in ("api_keys", "audit_events", "changes"):
        assert secret not in str(house.rows(f"SELECT * FROM {table}"))


@pytest.mark.parametrize(("template", "form"), [
    ({}, r"kt_live_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}"),
    ({"prefix": "sk_rsv", "environments": []}, r"sk_rsv_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}"),
    ({"prefix": "el", "alphabet": "0123456789abcdefghijklmnopqrstuvwxyz", "checksum_length": 4},
     r"el_live_[a-z0-9]{32}_[a-z0-9]{4}"),
    ({"prefix": "ac", "checksum": "none"}, r"ac_live_[0-9A-Za-z]{32}"),
    ({"prefix": "", "environments": [], "checksum": "none", "alphabet": "0123456789abcdef"},
     r"[0-9a-f]{32}"),
])  # fmt: skip
def test_keys_look_as_their_organization_says(house, template, form):
    tenant = Tenant(house, key_template=template)
    made = make(tenant)
    assert made.api_key.environment == "live"
    assert re.fullmatch(form, made.key)


@pytest.mark.parametrize("template", [
    {"length": 8}, {"prefix": "a-b"}, {"alphabet": "abc"}, {"colour": "red"}, {"length": "32"},
    {"environments": ["prod"]}, {"checksum": "md5"}, {"checksum_length": True},
])  # fmt: skip
def test_a_template_whose_keys_could_be_guessed_is_refused(house, tenant, template):
    with pytest.raises(Invalid) as refused:
        house.change_organization(tenant.id, key_template=template)
    assert refused.value.field == "key_template"


@pytest.mark.parametrize(("field", "values"), [
    ("name", {"name": ""}),
    ("name", {"name": "  "}),
    ("name", {"name": "x" * 101}),
    ("name", {"name": "a\x00b"}),
    ("name", {"name": "a\nb"}),
    ("name", {"name": "\ud800"}),
    ("name", {"name": "a\u202eb"}),
    ("description", {"description": "x" * 1001}),
    ("description", {"description": "\x07"}),
    ("environment", {"environment": "staging"}),
    ("kind", {"kind": "magic"}),
    ("scopes", {"scopes": ["rooms:burn"]}),
    ("scopes", {"scopes": ["*"]}),
    ("scopes", {"scopes": ['a"b']}),
    ("scopes", {"scopes": None}),
    ("preset", {"preset": "nothing"}),
    ("preset", {"preset": "nothing", "scopes": ["rooms:read"]}),
    ("allowed_ips", {"allowed_ips": ["10.0.0.1/8"]}),
    ("allowed_ips", {"allowed_ips": ["300.0.0.1"]}),
    ("allowed_ips", {"allowed_ips": ["fe80::1%eth0"]}),
    ("allowed_ips", {"allowed_ips": [f"10.0.0.{n}" for n in range(101)]}),
    ("allowed_domains", {"allowed_domains": ["https://a.example"]}),
    ("allowed_domains", {"allowed_domains": ["*.com"]}),
    ("allowed_domains", {"allowed_domains": ["a..example"]}),
    ("allowed_domains", {"allowed_domains": ["*a.example"]}),
    ("allowed_domains", {"allowed_domains": ["münchen.example"]}),
    ("expires_at", {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}),
    ("expires_at", {"expires_at": datetime(2099, 1, 1)}),  # noqa: DTZ001
    ("expires_in", {"expires_in": 0}),
    ("expires_in", {"expires_in": 60, "expires_at": datetime(2099, 1, 1, tzinfo=UTC)}),
    ("rate_limits", {"rate_limits": ["100"]}),
    ("rate_limits", {"rate_limits": ["0/minute"]}),
    ("rate_limits", {"rate_limits": ["5/fortnight"]}),
    ("rate_limits", {"rate_limits": ["5/minute", "6/minute"]}),
    ("rate_limits", {"rate_limits": [{"limit": True, "window": "minute"}]}),
    ("rate_limits", {"rate_limits": [{"limit": 5, "window": "minute", "burst": 5}]}),
    ("allowed_domains", {"kind": "publishable"}),
    ("scopes", {"kind": "publishable", "allowed_domains": ["a.example"]}),
])  # fmt: skip
def test_a_bad_value_is_refused_by_its_field(house, tenant, field, values):
    with pytest.raises(Invalid) as refused:
        make(tenant, **values)
    assert refused.value.field == field
    count = house.rows(
        "SELECT COUNT(*) AS n FROM api_keys WHERE organization_id = :id", id=tenant.id
    )
    assert count[0].n == 0


def test_good_values_are_kept_in_their_usual_spelling(tenant):
    made = make(
        tenant,
        name="  Zürich 東京 ",
        allowed_ips=["10.0.0.0/8", "2001:DB8::1", "10.0.0.0/8"],
        allowed_domains=["Shop.Example.com", "*.example.com", "localhost"],
        rate_limits=["30/minute", "100/day", {"limit": 5, "window": "second", "class": "widget"}],
    ).api_key
    assert made.name == "Zürich 東京"
    assert made.allowed_ips == ("10.0.0.0/8", "2001:db8::1")
    assert made.allowed_domains == ("shop.example.com", "*.example.com", "localhost")
    assert made.rate_limits == (
        {"limit": 30, "window": "minute", "class": None},
        {"limit": 100, "window": "day", "class": None},
        {"limit": 5, "window": "second", "class": "widget"},
    )


@pytest.mark.row("S2-28")
def test_a_key_keeps_what_it_was_given(tenant):
    create_preset(tenant.desk, tenant.administrator, NewPreset(name="web", scopes=["rooms:*"]))
    made = make(tenant, preset="web").api_key
    assert (made.preset, made.scopes) == ("web", ("rooms:create", "rooms:read", "rooms:write"))
    update_preset(
        tenant.desk, tenant.administrator, "web", PresetChanges(scopes=["rooms:*", "desks:read"])
    )
    scopes.add(tenant.desk, tenant.administrator, NewScope(name="rooms:burn"))
    assert lifecycle.show(tenant.desk, tenant.administrator, made.id).scopes == made.scopes


def test_a_publishable_key_is_bound_to_pages_and_public_scopes(tenant):
    scopes.add(tenant.desk, tenant.administrator, NewScope(name="rooms:browse", public=True))
    made = make(
        tenant, kind="publishable", scopes=["rooms:browse"], allowed_domains=["*.example.com"]
    ).api_key
    assert made.kind == "publishable"
    with pytest.raises(Invalid):
        make(tenant, kind="publishable", scopes=["rooms:*"], allowed_domains=["a.example.com"])
    with pytest.raises(Invalid) as refused:
        lifecycle.update(
            tenant.desk, tenant.administrator, made.id, ApiKeyChanges(allowed_domains=[])
        )
    assert refused.value.field == "allowed_domains"


# Plans -------------------------------------------------------------------------------------


@pytest.mark.row("S2-10")
def test_the_plan_caps_active_keys_and_no_others(house, tenant):
    on_plan(house, tenant, max_active_keys=2)
    first, second = make(tenant).api_key, make(tenant, expires_in=1).api_key
    with pytest.raises(PlanLimit):
        make(tenant)
    lifecycle.disable(tenant.desk, tenant.administrator, first.id)
    third = make(tenant).api_key
    with pytest.raises(PlanLimit):  # or the cap could be passed by disabling and enabling
        lifecycle.enable(tenant.desk, tenant.administrator, first.id)
    endings.revoke(tenant.desk, tenant.administrator, third.id)
    lifecycle.enable(tenant.desk, tenant.administrator, first.id)
    with pytest.raises(PlanLimit):
        make(tenant)
    endings.revoke(tenant.desk, tenant.administrator, second.id)
    make(tenant)


@pytest.mark.row("S2-10")
@pytest.mark.parametrize("cap", [5, 20, 100])
def test_so_many_keys_and_not_one_more(house, tenant, cap):
    on_plan(house, tenant, max_active_keys=cap)
    for _ in range(cap):
        make(tenant)
    with pytest.raises(PlanLimit):
        make(tenant)


@pytest.mark.row("S2-11")
def test_rotation_works_at_the_cap(house, tenant):
    on_plan(house, tenant, max_active_keys=1)
    key = make(tenant).api_key
    for grace in (3600, 0):
        key = succession.rotate(
            tenant.desk, tenant.administrator, key.id, grace_seconds=grace
        ).api_key
        assert key.status == "active"
    with pytest.raises(PlanLimit):
        make(tenant)


def test_a_plan_without_keys_and_one_without_cap(house, tenant):
    plan = on_plan(house, tenant, max_active_keys=0)
    with pytest.raises(PlanLimit):
        make(tenant)
    plans.update(house.desk, house.operator, plan, PlanChanges(max_active_keys=None))
    for _ in range(3):
        make(tenant)


@pytest.mark.row("S2-66")
def test_limits_of_a_keys_own_need_the_plan(house, tenant):
    plan = on_plan(house, tenant)
    with pytest.raises(PlanLimit):
        make(tenant, rate_limits=["5/minute"])
    key = make(tenant).api_key
    with pytest.raises(PlanLimit):
        lifecycle.update(
            tenant.desk, tenant.administrator, key.id, ApiKeyChanges(rate_limits=["5/minute"])
        )
    plans.update(house.desk, house.operator, plan, PlanChanges(custom_key_limits=True))
    assert make(tenant, rate_limits=["5/minute"]).api_key.rate_limits


@pytest.mark.parametrize("cap", [1, 5])
def test_creating_at_once_never_passes_the_cap(postgres_house, cap):
    tenant = Tenant(postgres_house)
    on_plan(postgres_house, tenant, max_active_keys=cap)
    answers = together(*[lambda: make(tenant)] * THREADS)
    made = [answer for answer in answers if not isinstance(answer, AdminError)]
    assert len(made) == cap
    assert {type(answer) for answer in answers if answer not in made} == {PlanLimit}
    assert len(lifecycle.list_page(tenant.desk, tenant.administrator).data) == cap


def test_enabling_at_once_never_passes_the_cap(postgres_house):
    tenant = Tenant(postgres_house)
    keys = [make(tenant).api_key.id for _ in range(THREADS)]
    for key in keys:
        lifecycle.disable(tenant.desk, tenant.administrator, key)
    on_plan(postgres_house, tenant, max_active_keys=3)
    together(*[
        lambda key=key: lifecycle.enable(tenant.desk, tenant.administrator, key) for key in keys
    ])  # fmt: skip
    wanted = ApiKeyFilter(status="active")
    assert len(lifecycle.list_page(tenant.desk, tenant.administrator, wanted).data) == 3


# The end -----------------------------------------------------------------------------------


@pytest.mark.row("S3-11")
def test_the_first_revocation_stands(tenant):
    key = make(tenant).api_key.id
    first = endings.revoke(tenant.desk, tenant.administrator, key, reason="leaked")
    again = endings.revoke(tenant.desk, tenant.administrator, key, reason="once more")
    assert again == first
    assert (first.status, first.revoked_reason) == ("revoked", "leaked")
    assert len(tenant.events("api_key.revoked")) == 1
    for act in (lifecycle.enable, lifecycle.disable):
        with pytest.raises(Conflict):
            act(tenant.desk, tenant.administrator, key)
    with pytest.raises(Conflict):
        lifecycle.update(tenant.desk, tenant.administrator, key, ApiKeyChanges(name="y"))


def test_a_predecessor_in_its_grace_can_be_revoked(tenant):
    key = make(tenant).api_key.id
    succession.rotate(tenant.desk, tenant.administrator, key, grace_seconds=3600)
    assert endings.revoke(tenant.desk, tenant.administrator, key).status == "revoked"


def test_disabling_and_enabling_are_idempotent(tenant):
    key = make(tenant).api_key.id
    for _ in range(2):
        assert lifecycle.disable(tenant.desk, tenant.administrator, key).status == "disabled"
    for _ in range(2):
        assert lifecycle.enable(tenant.desk, tenant.administrator, key).status == "active"
    assert len(tenant.events("api_key.disabled")) == len(tenant.events("api_key.enabled")) == 1


@pytest.mark.parametrize("act", [endings.revoke, lifecycle.disable])
def test_the_directory_lets_go_at_once(tenant, act):
    made = make(tenant)
    digest = hashlib.sha256(made.key.encode()).digest()
    assert tenant.desk.directory.api_key(digest).status == "active"
    act(tenant.desk, tenant.administrator, made.api_key.id)
    assert tenant.desk.directory.api_key(digest).status != "active"


def test_updates_change_what_is_named(tenant):
    key = make(tenant, description="d", allowed_ips=["10.0.0.0/8"]).api_key
    changed = lifecycle.update(
        tenant.desk, tenant.administrator, key.id, ApiKeyChanges(name="new", allowed_ips=[])
    )
    assert changed == dataclasses.replace(
        key, name="new", allowed_ips=(), updated_at=changed.updated_at
    )
    [event] = tenant.events("api_key.updated")
    assert "allowed_ips" in str(event.details)
    lifecycle.update(tenant.desk, tenant.administrator, key.id, ApiKeyChanges(name="new"))
    assert len(tenant.events("api_key.updated")) == 1


def test_lists_go_on_where_they_ended(tenant):
    made = [make(tenant, name=f"key {n}").api_key.id for n in range(7)]
    seen, cursor = [], None
    while True:
        page = lifecycle.list_page(tenant.desk, tenant.administrator, limit=3, cursor=cursor)
        seen += [key.id for key in page.data]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)
    assert seen == sorted(seen, reverse=True)
    for bad in ("", "§", "AAAA====", "x" * 2000, "AA"):
        with pytest.raises(Invalid) as refused:
            lifecycle.list_page(tenant.desk, tenant.administrator, cursor=bad)
        assert refused.value.field == "cursor"
    for bad in (0, 201, -1):
        with pytest.raises(Invalid):
            lifecycle.list_page(tenant.desk, tenant.administrator, limit=bad)


def test_the_inspector_names_each_rule(house, tenant):
    made = make(tenant, allowed_ips=["10.0.0.0/8"], allowed_domains=["*.example.com"])

    def blocks(key=made.key, **also):
        asked = inspection.Situation(**also)
        found = inspection.inspect(tenant.desk, tenant.administrator, key, asked)
        return [check.rule for check in found.checks if check.passed is False]

    good = {"ip": "10.1.2.3", "origin": "https://a.example.com"}
    assert blocks(**good) == []
    assert blocks(**good | {"ip": "192.0.2.1"}) == ["network"]
    assert blocks(**good | {"origin": "https://example.org"}) == ["domain"]
    slip = made.key[:-1] + ("A" if made.key[-1] != "A" else "B")
    assert blocks(slip) == ["checksum", "known"]
    assert blocks(made.key[:-7]) == ["format", "known"]
    assert blocks("x" * 100_000) == ["format"]
    lifecycle.disable(tenant.desk, tenant.administrator, made.api_key.id)
    house.suspend(tenant.id)
    assert blocks(**good) == ["status", "organization"]
