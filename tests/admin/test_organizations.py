"""Organizations, plans, users, activity, and the first start."""

from __future__ import annotations

import dataclasses
import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from app.admin import activity, organizations, plans, sessions, sign_in, users
from app.admin.activity import EventFilter
from app.admin.bootstrap import bootstrap
from app.admin.me import me
from app.admin.organizations import NewOrganization, OrganizationChanges
from app.admin.plans import NewPlan, PlanChanges
from app.admin.users import NewUser, UserChanges
from app.apikeys import endings, lifecycle
from app.apikeys.values import NewApiKey
from app.builtin import administration
from app.errors import Conflict, Invalid, NotFound
from app.records import LABELS, Origin
from app.storage.models import Base, FeedHeadRow
from tests.support.installation import installed

# Organizations -----------------------------------------------------------------------------


def change(house, tenant, **changes):
    return organizations.update(
        house.desk, house.operator, tenant.id, OrganizationChanges(**changes)
    )


@pytest.mark.parametrize(("field", "values"), [
    ("name", {"name": ""}),
    ("name", {"name": "a\x00b"}),
    ("environments", {"environments": []}),
    ("environments", {"environments": ["li ve"]}),
    ("environments", {"environments": ["x" * 17]}),
    ("environments", {"environments": [f"e{n}" for n in range(17)]}),
    ("plan_id", {"plan_id": "plan_nothing"}),
    ("profile", {"profile": "nobody"}),
    ("key_template", {"key_template": {"length": 1}}),
    ("key_variable", {"key_variable": "api key"}),
    ("key_variable", {"key_variable": "1_KEY"}),
    ("key_variable", {"key_variable": "K" * 65}),
    ("labels", {"labels": {"menu": "Karte"}}),
    ("labels.settings", {"labels": {"settings": " "}}),
    ("labels.settings", {"labels": {"settings": "S" * 41}}),
    ("labels.api_keys", {"labels": {"api_keys": "Keys\u202e"}}),
])  # fmt: skip
def test_a_bad_value_is_refused_by_its_field(house, tenant, field, values):
    with pytest.raises(Invalid) as refused:
        organizations.create(
            house.desk, house.operator, NewOrganization(**({"name": f"n {tenant.id}"} | values))
        )
    assert refused.value.field == field
    with pytest.raises(Invalid) as refused:
        change(house, tenant, **values)
    assert refused.value.field == field


@pytest.mark.parametrize(("name", "variable"), [
    ("Experience Local", "EXPERIENCELOCAL_API_KEY"),
    ("Böden & Co.", "BDENCO_API_KEY"),
    ("24 hours", "_24HOURS_API_KEY"),
    ("予約", "API_KEY"),
    ("x" * 100, "X" * 50 + "_API_KEY"),
])  # fmt: skip
def test_the_variable_of_its_keys_is_made_of_its_name_or_chosen(house, tenant, name, variable):
    assert change(house, tenant, name=name).key_variable == variable
    assert change(house, tenant, key_variable="MY_KEY").key_variable == "MY_KEY"
    made = lifecycle.create(
        tenant.desk, tenant.administrator, NewApiKey(name="x", scopes=["rooms:read"])
    )
    assert made.variable == "MY_KEY"
    assert change(house, tenant, key_variable=None).key_variable == variable
    # Names are unique, and the next case is another organization of this installation.
    change(house, tenant, name=tenant.id)


def test_the_dashboards_words_are_chosen_and_by_default_again(house, tenant):
    words = {"settings": "Organization Settings", "create_api_key": "Generate New API Key"}
    assert change(house, tenant, labels=words).labels == {**LABELS, **words}
    assert change(house, tenant, key_variable="OTHER").labels["settings"] == words["settings"]
    assert change(house, tenant, labels={"api_keys": "Keys"}).labels == LABELS | {
        "api_keys": "Keys"
    }
    assert change(house, tenant, labels={}).labels == LABELS


def test_names_are_unique(house, tenant, other):
    taken = organizations.show(house.desk, house.operator, other.id).name
    with pytest.raises(Conflict):
        change(house, tenant, name=taken)
    with pytest.raises(Conflict):
        organizations.create(house.desk, house.operator, NewOrganization(name=taken))
    assert organizations.find(house.desk, house.operator, taken).id == other.id
    for name in ("nobody has this name", "\x00"):
        with pytest.raises(NotFound):
            organizations.find(house.desk, house.operator, name)


def test_suspending_is_seen_at_once_and_undone(house, tenant):
    assert house.desk.directory.organization(tenant.id).is_active
    change(house, tenant, status="suspended")
    assert not house.desk.directory.organization(tenant.id).is_active
    page = organizations.list_page(house.desk, house.operator, status="suspended")
    assert tenant.id in [one.id for one in page.data]
    change(house, tenant, status="active")
    assert house.desk.directory.organization(tenant.id).is_active


def test_the_operator_is_not_suspended(house):
    with pytest.raises(Conflict):
        organizations.update(
            house.desk,
            house.operator,
            house.organization_id,
            OrganizationChanges(status="suspended"),
        )


def test_an_environment_in_use_stays(house, tenant):
    client = house.client(["rooms:read"], environment="test", organization=tenant.id).client_id
    with pytest.raises(Conflict, match="test"):
        change(house, tenant, environments=["live", "staging"])
    house.delete_client(client)
    assert change(house, tenant, environments=["live", "staging"]).environments == (
        "live", "staging",
    )  # fmt: skip
    key = house.api_key(["rooms:read"], environment="staging", organization=tenant.id)
    assert key.key.startswith("kt_staging_")


# Plans -------------------------------------------------------------------------------------


def test_plans(house, tenant):
    desk, operator = house.desk, house.operator
    new = NewPlan(name=f"Growth {tenant.id}", max_active_keys=5, rate_limits=["30/minute:widget"])
    plan = plans.create(desk, operator, new)
    assert plans.show(desk, operator, plan.id) == plan == plans.find(desk, operator, plan.name)
    with pytest.raises(Conflict):
        plans.create(desk, operator, new)
    house.desk.directory.organization(tenant.id)
    change(house, tenant, plan_id=plan.id)
    with pytest.raises(Conflict):
        plans.delete(desk, operator, plan.id)
    before = desk.store.feed_head()
    changed = plans.update(desk, operator, plan.id, PlanChanges(rate_limits=[]))
    assert changed == dataclasses.replace(plan, rate_limits=(), updated_at=changed.updated_at)
    told = [one for _, one in desk.store.changes_after(before)]
    assert [(one.kind, one.id) for one in told] == [("organization", tenant.id)]
    change(house, tenant, plan_id=None)
    for _ in range(2):
        plans.delete(desk, operator, plan.id)
    with pytest.raises(NotFound):
        plans.show(desk, operator, plan.id)


@pytest.mark.parametrize(("field", "values"), [
    ("name", {"name": ""}),
    ("max_active_keys", {"max_active_keys": -1}),
    ("max_active_keys", {"max_active_keys": 10**9}),
    ("rate_limits", {"rate_limits": ["1/never"]}),
])  # fmt: skip
def test_a_bad_plan_is_refused_by_its_field(house, field, values):
    with pytest.raises(Invalid) as refused:
        plans.create(house.desk, house.operator, NewPlan(**({"name": "x"} | values)))
    assert refused.value.field == field


# Users -------------------------------------------------------------------------------------


def test_a_sign_in_secret_is_shown_once_and_kept_as_its_hash(house, tenant):
    desk, administrator = tenant.desk, tenant.administrator
    new = NewUser(email=f" Ann@{tenant.id}.Example ".replace("_", "-"), role="admin")
    made = users.create(desk, administrator, new)
    assert (made.user.email, made.user.name) == (new.email.strip().lower(), "ann")
    assert timedelta(hours=23) < made.expires_at - datetime.now(UTC) <= timedelta(days=1)
    assert made.secret not in repr(made)

    def digest():
        return bytes(
            house.rows("SELECT * FROM users WHERE id = :id", id=made.user.id)[0].sign_in_digest
        )

    assert digest() == hashlib.sha256(made.secret.encode()).digest()
    again = users.reset(desk, administrator, made.user.id)
    assert again.secret != made.secret
    assert digest() == hashlib.sha256(again.secret.encode()).digest()
    assert users.show(desk, administrator, made.user.id) == again.user
    assert [user.id for user in users.list_page(desk, administrator).data] == [made.user.id]
    with pytest.raises(Conflict):
        users.create(desk, administrator, new)
    assert made.secret not in str(house.rows("SELECT * FROM audit_events"))


def test_a_disabled_user_is_signed_out_for_good(tenant):
    desk, administrator = tenant.desk, tenant.administrator
    made = users.create(
        desk, administrator, NewUser(email=f"eve@{tenant.id[4:]}.example", role="auditor")
    )
    begun = sign_in.by_link(desk, made.secret, Origin("req_x"))
    assert sessions.find(desk, begun.secret) is not None
    for status in ("disabled", "active"):
        users.update(desk, administrator, made.user.id, UserChanges(status=status))
        assert sessions.find(desk, begun.secret) is None
    again = users.reset(desk, administrator, made.user.id)
    begun = sign_in.by_link(desk, again.secret, Origin("req_x"))
    users.remove(desk, administrator, made.user.id)
    users.remove(desk, administrator, made.user.id)
    assert sessions.find(desk, begun.secret) is None
    assert len(tenant.events("user.removed")) == 1


@pytest.mark.parametrize(("field", "values"), [
    ("email", {"email": ""}),
    ("email", {"email": "ann"}),
    ("email", {"email": "ann@"}),
    ("email", {"email": "a b@example.com"}),
    ("email", {"email": "a@example.com\nBcc: b@example.com"}),
    ("email", {"email": "a\x00@example.com"}),
    ("email", {"email": "a@" + "x" * 300}),
    ("role", {"role": "god"}),
    ("name", {"name": "x" * 101}),
])  # fmt: skip
def test_a_bad_user_is_refused_by_its_field(tenant, field, values):
    with pytest.raises(Invalid) as refused:
        users.create(
            tenant.desk,
            tenant.administrator,
            NewUser(**({"email": "a@example.com", "role": "auditor"} | values)),
        )
    assert refused.value.field == field


# Activity and me ---------------------------------------------------------------------------


def test_activity_filters(house, tenant):
    desk = tenant.desk
    seen = datetime.now(UTC)
    actor = dataclasses.replace(
        tenant.administrator, id="usr_ann", ip="192.0.2.7", user_agent="curl", request_id="req_1"
    )
    key = lifecycle.create(desk, actor, NewApiKey(name="x", scopes=["rooms:read"])).api_key
    endings.revoke(desk, dataclasses.replace(actor, request_id="req_2"), key.id, reason="gone")

    def types(**wanted):
        page = activity.list_page(desk, tenant.administrator, EventFilter(**wanted))
        return [event.type for event in page.data]

    both = ["api_key.revoked", "api_key.created"]
    assert types(target_id=key.id) == types(actor_id="usr_ann") == types(type="api_key.*") == both
    assert types(since=seen) == both
    assert types(request_id="req_1") == types(type="api_key.created") == both[1:]
    assert types(until=seen) == ["scope.added"] * 4 + ["organization.created"]
    assert types(type="%") == types(type="api_key._reated") == []
    first = activity.list_page(desk, tenant.administrator, limit=1)
    [event] = first.data
    assert (event.ip, event.user_agent, event.organization_id) == ("192.0.2.7", "curl", tenant.id)
    second = activity.list_page(desk, tenant.administrator, limit=1, cursor=first.next_cursor)
    assert second.data[0].type == "api_key.created"
    everything = activity.list_page(desk, house.operator, everywhere=True, limit=200)
    assert len({event.organization_id for event in everything.data}) > 1
    for bad in ({"type": "a\x00"}, {"request_id": "x" * 600}, {"since": datetime(2026, 1, 1)}):  # noqa: DTZ001
        with pytest.raises(Invalid):
            types(**bad)


def test_me(tenant):
    desk = tenant.desk
    key = lifecycle.create(
        desk,
        tenant.administrator,
        NewApiKey(name="x", scopes=["rooms:read"], environment="test", expires_in=60),
    ).api_key
    actor = tenant.actor(["rooms:read"], type="api_key", id=key.id, environment="test")
    told = me(desk, actor)
    assert (told.type, told.id, told.environment) == ("api_key", key.id, "test")
    assert told.scopes == ("rooms:read",)
    assert told.expires_at == key.expires_at
    assert told.organization.id == tenant.id
    assert told.organization.name
    ends_at = datetime(2030, 1, 1, tzinfo=UTC)
    assert me(desk, tenant.actor([]), expires_at=ends_at).expires_at == ends_at


# The first start ---------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def two_processes(request, tmp_path):
    """Two empty installations over one database, as two processes have them."""
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create()
    with installed(tmp_path / "one", url) as one, installed_again(tmp_path / "two", one) as two:
        store = one.desk.store
        with store.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                if table is not FeedHeadRow.__table__:
                    connection.execute(table.delete())
        yield one, two


def installed_again(directory, first):
    """A second process over the first one's database, with nothing prepared."""
    from contextlib import contextmanager

    from tests.support.installation import Installation

    @contextmanager
    def again():
        made = Installation(directory, first.database_url, {})
        try:
            yield made
        finally:
            made.close()

    return again()


def test_two_first_starts_at_once_make_one(two_processes):
    one, two = two_processes
    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(bootstrap, [one.desk, two.desk]))
    [first] = [each for each in made if each is not None]
    assert bootstrap(one.desk) is None
    assert [row.n for row in one.rows("SELECT COUNT(*) AS n FROM organizations")] == [1]
    assert [row.n for row in one.rows("SELECT COUNT(*) AS n FROM users")] == [1]
    [client] = one.rows("SELECT * FROM clients")
    assert client.client_id == first.client_id
    assert all(name.endswith(":read") for name in first.scope.split())
    known = administration(operator=True)
    assert set(first.scope.split()) == {name for name in known if name.endswith(":read")}
    for secret in (first.client_secret, first.sign_in_link.partition("#")[2]):
        assert secret not in repr(first)
        assert secret not in str(one.rows("SELECT * FROM audit_events"))
