"""Every use case asks for its right, and no right reaches into another organization."""

from __future__ import annotations

import dataclasses

import pytest

from app import builtin
from app.admin import (
    activity,
    client_secrets,
    clients,
    organizations,
    plans,
    presets,
    resources,
    scopes,
    users,
)
from app.admin.client_secrets import NewSecret
from app.admin.clients import ClientChanges, NewClient
from app.admin.organizations import NewOrganization, OrganizationChanges
from app.admin.plans import NewPlan, PlanChanges
from app.admin.presets import NewPreset, PresetChanges
from app.admin.resources import NewResource, ResourceChanges
from app.admin.scopes import NewScope
from app.admin.users import NewUser
from app.apikeys import endings, inspection, lifecycle, succession
from app.apikeys.values import ApiKeyChanges, NewApiKey
from app.errors import Forbidden, NotFound
from keyturn.scope import ScopeSet
from tests.admin.conftest import EVERYTHING, Tenant

CREATED = {
    "client": ("clients:write", lambda d, a, o: clients.create(
        d, a, NewClient(name="x", scopes=["rooms:read"], organization_id=o))),
    "key": ("keys:write", lambda d, a, o: lifecycle.create(
        d, a, NewApiKey(name="x", scopes=["rooms:read"], organization_id=o))),
    "scope": ("scopes:write", lambda d, a, o: scopes.add(
        d, a, NewScope(name="x:y", organization_id=o))),
    "preset": ("scopes:write", lambda d, a, o: presets.create(
        d, a, NewPreset(name="x", scopes=["rooms:read"], organization_id=o))),
    "resource": ("scopes:write", lambda d, a, o: resources.create(
        d, a, NewResource(identifier="https://x.example", organization_id=o))),
    "user": ("users:write", lambda d, a, o: users.create(
        d, a, NewUser(email="x@y.example", role="auditor", organization_id=o))),
}  # fmt: skip
LISTED = {
    "clients": ("clients:read", clients.list_page),
    "keys": ("keys:read", lifecycle.list_page),
    "scopes": ("scopes:read", scopes.list_page),
    "presets": ("scopes:read", presets.list_page),
    "resources": ("scopes:read", resources.list_page),
    "users": ("users:read", users.list_page),
    "activity": ("audit:read", activity.list_page),
}
# Each of these is about one object, by its id.
ONE = {
    "client shown": ("clients:read", "client", clients.show),
    "client updated": ("clients:write", "client",
                       lambda d, a, i, **o: clients.update(d, a, i, ClientChanges(name="z"), **o)),
    "client disabled": ("clients:write", "client", clients.disable),
    "client enabled": ("clients:write", "client", clients.enable),
    "client deleted": ("clients:write", "client", clients.delete),
    "secret added": ("clients:write", "client",
                     lambda d, a, i, **o: client_secrets.add(d, a, i, NewSecret(), **o)),
    "secrets listed": ("clients:read", "client", client_secrets.list_all),
    "secret removed": ("clients:write", "client and secret",
                       lambda d, a, i, **o: client_secrets.remove(d, a, *i, **o)),
    "key shown": ("keys:read", "key", lifecycle.show),
    "key updated": ("keys:write", "key",
                    lambda d, a, i, **o: lifecycle.update(d, a, i, ApiKeyChanges(name="z"), **o)),
    "key disabled": ("keys:write", "key", lifecycle.disable),
    "key enabled": ("keys:write", "key", lifecycle.enable),
    "key rotated": ("keys:write", "key", succession.rotate),
    "key revoked": ("keys:write", "key", endings.revoke),
    "scope removed": ("scopes:write", "scope", scopes.remove),
    "preset shown": ("scopes:read", "preset", presets.show),
    "preset updated": ("scopes:write", "preset", lambda d, a, i, **o: presets.update(
        d, a, i, PresetChanges(description="z"), **o)),
    "preset deleted": ("scopes:write", "preset", presets.delete),
    "resource shown": ("scopes:read", "resource", resources.show),
    "resource updated": ("scopes:write", "resource", lambda d, a, i, **o: resources.update(
        d, a, i, ResourceChanges(name="z"), **o)),
    "resource deleted": ("scopes:write", "resource", resources.delete),
    "user shown": ("users:read", "user", users.show),
    "user reset": ("users:write", "user", users.reset),
}  # fmt: skip
OPERATING = {
    "organization created": ("organizations:write", lambda d, a, o: organizations.create(
        d, a, NewOrganization(name="another"))),
    "organizations listed": ("organizations:read", lambda d, a, o: organizations.list_page(d, a)),
    "organization shown": ("organizations:read", organizations.show),
    "organization found": ("organizations:read", lambda d, a, o: organizations.find(d, a, "x")),
    "organization suspended": ("organizations:write", lambda d, a, o: organizations.update(
        d, a, o, OrganizationChanges(status="suspended"))),
    "plan created": ("organizations:write", lambda d, a, o: plans.create(d, a, NewPlan(name="x"))),
    "plans listed": ("organizations:read", lambda d, a, o: plans.list_page(d, a)),
    "plan shown": ("organizations:read", lambda d, a, o: plans.show(d, a, "plan_x")),
    "plan found": ("organizations:read", lambda d, a, o: plans.find(d, a, "x")),
    "plan updated": ("organizations:write", lambda d, a, o: plans.update(
        d, a, "plan_x", PlanChanges(name="y"))),
    "plan deleted": ("organizations:write", lambda d, a, o: plans.delete(d, a, "plan_x")),
    "all activity": ("organizations:read", lambda d, a, o: activity.list_page(
        d, a, everywhere=True)),
}  # fmt: skip


@pytest.fixture(scope="module")
def mine(house):
    return Tenant(house)


@pytest.fixture(scope="module")
def theirs(house):
    """Another organization's objects, one of each kind."""
    tenant = Tenant(house)
    there = {"organization": tenant.id}
    client = house.client(["rooms:read"], **there).client_id
    secret = house.secret(client, **there).id
    house.preset("guests", ["rooms:*"], **there)
    house.scope("theirs:only", **there)
    return {
        "tenant": tenant,
        "client": client,
        "client and secret": (client, secret),
        "key": house.api_key(["rooms:read"], **there).id,
        "scope": "theirs:only",
        "preset": "guests",
        "resource": house.resource("https://theirs.example", **there),
        "user": users.create(
            house.desk,
            house.operator,
            NewUser(email=f"{tenant.id}@example.com", role="developer", organization_id=tenant.id),
        ).user.id,
    }


def _snapshot(house, tenant):
    """Everything that is said of an organization's objects."""
    tables = ("clients", "api_keys", "scopes", "presets", "resources", "users", "audit_events")
    rows = [
        house.rows(f"SELECT * FROM {table} WHERE organization_id = :id ORDER BY 1, 2", id=tenant.id)
        for table in tables
    ]
    secrets = house.rows(
        "SELECT s.* FROM client_secrets s JOIN clients c ON s.client_id = c.client_id "
        "WHERE c.organization_id = :id ORDER BY s.id",
        id=tenant.id,
    )
    return str(rows), str(secrets)


@pytest.mark.parametrize("case", CREATED | LISTED)
def test_making_and_listing_need_their_scope(mine, case):
    needed, run = (CREATED | LISTED)[case]
    actor = mine.actor(set(EVERYTHING) - {f"keyturn:{needed}"})
    with pytest.raises(Forbidden, match=f"keyturn:{needed}"):
        run(mine.desk, actor, mine.id) if case in CREATED else run(mine.desk, actor)


@pytest.mark.parametrize("case", ONE)
def test_every_act_on_an_object_needs_its_scope(mine, case):
    needed, kind, run = ONE[case]
    asked = ("client_x", "sec_x") if kind == "client and secret" else "x:y"
    with pytest.raises(Forbidden, match=f"keyturn:{needed}"):
        run(mine.desk, mine.actor(set(EVERYTHING) - {f"keyturn:{needed}"}), asked)
    with pytest.raises(NotFound):
        run(mine.desk, mine.actor({f"keyturn:{needed}"}), asked)


@pytest.mark.parametrize("case", ONE)
@pytest.mark.parametrize("naming", [False, True], ids=["by id", "naming the organization"])
def test_another_organizations_object_does_not_exist(house, mine, theirs, case, naming):
    # Keycloak CVE-2025-14777 and others: the check used one id, the query another.
    _, kind, run = ONE[case]
    named = {"organization_id": theirs["tenant"].id} if naming else {}
    before = _snapshot(house, theirs["tenant"])
    # A right of the operator's would reach; here somebody holds the words and is not the operator.
    actor = mine.actor([*EVERYTHING, builtin.ORGANIZATIONS_READ, builtin.ORGANIZATIONS_WRITE])
    with pytest.raises(NotFound):
        run(mine.desk, actor, theirs[kind], **named)
    assert _snapshot(house, theirs["tenant"]) == before


@pytest.mark.parametrize("case", CREATED)
def test_nothing_is_made_in_another_organization(house, mine, theirs, case):
    # better-auth CVE-2025-61928: the body said for whom, and was believed.
    before = _snapshot(house, theirs["tenant"])
    with pytest.raises(NotFound):
        CREATED[case][1](mine.desk, mine.administrator, theirs["tenant"].id)
    assert _snapshot(house, theirs["tenant"]) == before


@pytest.mark.parametrize("case", LISTED)
def test_lists_hold_ones_own_only(mine, theirs, case):
    run = LISTED[case][1]
    with pytest.raises(NotFound):
        run(mine.desk, mine.administrator, organization_id=theirs["tenant"].id)
    shown = str(run(mine.desk, mine.administrator))
    assert theirs["client"] not in shown
    assert theirs["tenant"].id not in shown


@pytest.mark.parametrize("case", ONE)
def test_the_operator_names_the_organization_or_does_not_see_it(house, theirs, case):
    _, kind, run = ONE[case]
    operator = dataclasses.replace(house.operator, type="user")
    with pytest.raises(NotFound):
        run(house.desk, operator, theirs[kind])


@pytest.mark.parametrize("case", LISTED)
def test_the_operator_reads_where_it_names(house, theirs, case):
    reader = dataclasses.replace(
        house.operator,
        type="user",
        scopes=ScopeSet.of([*EVERYTHING, builtin.ORGANIZATIONS_READ]),
    )
    run = LISTED[case][1]
    assert run(house.desk, reader, organization_id=theirs["tenant"].id).data


@pytest.mark.parametrize("case", CREATED)
def test_reading_organizations_is_no_right_to_write_in_them(house, theirs, case):
    reader = dataclasses.replace(
        house.operator,
        type="user",
        scopes=ScopeSet.of([*EVERYTHING, builtin.ORGANIZATIONS_READ]),
    )
    with pytest.raises(NotFound):
        CREATED[case][1](house.desk, reader, theirs["tenant"].id)


@pytest.mark.parametrize("case", OPERATING)
def test_only_the_operator_operates(house, mine, theirs, case):
    needed, run = OPERATING[case]
    everything = [*EVERYTHING, builtin.ORGANIZATIONS_READ, builtin.ORGANIZATIONS_WRITE]
    with pytest.raises(Forbidden):
        run(mine.desk, mine.actor(everything), theirs["tenant"].id)
    without = ScopeSet.of(set(everything) - {f"keyturn:{needed}"})
    with pytest.raises(Forbidden, match=f"keyturn:{needed}"):
        run(
            mine.desk,
            dataclasses.replace(house.operator, type="client", scopes=without),
            theirs["tenant"].id,
        )


def test_an_unknown_organization_is_not_found(house):
    for organization_id in ("org_unknown", "org\x00", "", "org_" + "x" * 100):
        with pytest.raises(NotFound):
            clients.create(
                house.desk,
                house.operator,
                NewClient(name="x", scopes=[], organization_id=organization_id),
            )


def test_another_organizations_key_is_unknown_to_the_inspector(house, mine, theirs):
    key = house.api_key(["rooms:read"], organization=theirs["tenant"].id).key
    found = inspection.inspect(mine.desk, mine.administrator, key)
    assert found.api_key is None
    assert [check.rule for check in found.checks if check.passed is False] == ["known"]
    with pytest.raises(NotFound):
        inspection.inspect(mine.desk, mine.administrator, key, organization_id=theirs["tenant"].id)
