"""Scopes, presets and resources of an organization."""

from __future__ import annotations

import dataclasses

import pytest

from app.admin import clients, presets, resources, scopes
from app.admin.clients import ClientChanges, NewClient
from app.admin.presets import NewPreset, PresetChanges
from app.admin.resources import NewResource, ResourceChanges
from app.admin.scopes import NewScope
from app.apikeys import endings, lifecycle
from app.apikeys.values import NewApiKey
from app.errors import Conflict, Invalid, NotFound
from keyturn.scope import Grant


def add(tenant, name, **also):
    return scopes.add(tenant.desk, tenant.administrator, NewScope(name=name, **also))


@pytest.mark.parametrize(("field", "values"), [
    ("name", {"name": ""}),
    ("name", {"name": "a b"}),
    ("name", {"name": 'a"b'}),
    ("name", {"name": "rooms:*"}),
    ("name", {"name": "ro*ms"}),
    ("name", {"name": "a::b"}),
    ("name", {"name": ":a"}),
    ("name", {"name": "a:"}),
    ("name", {"name": "é"}),
    ("name", {"name": "x" * 129}),
    ("name", {"name": "keyturn"}),
    ("name", {"name": "keyturn:clients:burn"}),
    ("name", {"name": "keyturn:clients:read"}),
    ("implies", {"name": "a:b", "implies": ["nothing:there"]}),
    ("implies", {"name": "a:b", "implies": ["rooms:*"]}),
    ("implies", {"name": "a:b", "implies": ["keyturn:clients:write"]}),
    ("implies", {"name": "a:b", "implies": ["a:b"]}),
    ("description", {"name": "a:b", "description": "\x00"}),
])  # fmt: skip
def test_a_bad_scope_is_refused_by_its_field(tenant, field, values):
    with pytest.raises(Invalid) as refused:
        add(tenant, **values)
    assert refused.value.field == field


def test_any_token_can_be_a_scope(tenant):
    for name in ("read", "https://example.com/rooms.read", "a/b-c_d.e~f", "x:y:z"):
        assert add(tenant, name).name == name


def test_a_scope_is_declared_once_and_listed_by_name(tenant):
    with pytest.raises(Conflict):
        add(tenant, "rooms:read")
    page = scopes.list_page(tenant.desk, tenant.administrator, builtin=False)
    assert [scope.name for scope in page.data] == [
        "desks:read", "rooms:create", "rooms:read", "rooms:write"
    ]  # fmt: skip
    names, cursor = [], None
    while True:
        page = scopes.list_page(tenant.desk, tenant.administrator, limit=4, cursor=cursor)
        names += [scope.name for scope in page.data]
        if (cursor := page.next_cursor) is None:
            break
    assert names == sorted(names)
    assert "keyturn:clients:read" in names
    assert "keyturn:organizations:read" not in names


def test_the_directory_sees_the_catalogue_at_once(tenant):
    directory = tenant.desk.directory
    before = directory.organization(tenant.id).catalogue
    add(tenant, "rooms:burn")
    after = directory.organization(tenant.id).catalogue
    assert "rooms:burn" in after
    assert "rooms:burn" not in before
    resources.create(
        tenant.desk, tenant.administrator, NewResource(identifier="https://seen.example")
    )
    assert directory.organization(tenant.id).resources


def test_a_scope_that_is_named_stays(house, tenant):
    desk, administrator = tenant.desk, tenant.administrator

    def remove():
        scopes.remove(desk, administrator, "rooms:create")

    with pytest.raises(Conflict, match="scope rooms:write"):
        remove()
    scopes.remove(desk, administrator, "rooms:write")
    client = clients.create(desk, administrator, NewClient(name="x", scopes=["rooms:create"]))
    with pytest.raises(Conflict, match=client.client.client_id):
        remove()
    changes = ClientChanges(scopes=["rooms:*"])  # covers it without naming it
    clients.update(desk, administrator, client.client.client_id, changes)
    key = lifecycle.create(desk, administrator, NewApiKey(name="x", scopes=["rooms:create"]))
    with pytest.raises(Conflict, match=key.api_key.id):
        remove()
    endings.revoke(desk, administrator, key.api_key.id)
    presets.create(desk, administrator, NewPreset(name="p", scopes=["rooms:create"]))
    with pytest.raises(Conflict, match="preset p"):
        remove()
    presets.delete(desk, administrator, "p")
    new = NewResource(identifier="https://named.example", scopes=["rooms:create"])
    resource = resources.create(desk, administrator, new)
    with pytest.raises(Conflict, match=resource.id):
        remove()
    resources.update(desk, administrator, resource.id, ResourceChanges(scopes=[]))
    remove()
    remove()
    assert len(tenant.events("scope.removed")) == 2
    with pytest.raises(NotFound):
        scopes.remove(desk, administrator, "never:there")


def test_a_scope_may_be_named_like_a_pattern(tenant):
    """The search for who names a scope takes `%` and `_` for what they are."""
    desk, administrator = tenant.desk, tenant.administrator
    for name in ("a_b", "axb", "a%"):
        add(tenant, name)
    clients.create(desk, administrator, NewClient(name="x", scopes=["axb"]))
    scopes.remove(desk, administrator, "a_b")
    scopes.remove(desk, administrator, "a%")
    with pytest.raises(Conflict):
        scopes.remove(desk, administrator, "axb")


def test_presets(tenant):
    desk, administrator = tenant.desk, tenant.administrator
    new = NewPreset(name="web", scopes=["rooms:*", "desks:read"], description="For pages")
    made = presets.create(desk, administrator, new)
    assert made.scopes == ("desks:read", "rooms:*")
    assert presets.show(desk, administrator, "web") == made
    with pytest.raises(Conflict):
        presets.create(desk, administrator, new)
    changed = presets.update(desk, administrator, "web", PresetChanges(scopes=["rooms:read"]))
    assert changed == dataclasses.replace(
        made, scopes=("rooms:read",), updated_at=changed.updated_at
    )
    assert presets.list_page(desk, administrator).data == (changed,)
    for _ in range(2):
        presets.delete(desk, administrator, "web")
    for name in ("web", "a b", "\x00", "x" * 65):
        with pytest.raises(NotFound):
            presets.show(desk, administrator, name)


@pytest.mark.parametrize(("field", "values"), [
    ("name", {"name": ""}),
    ("name", {"name": "a/b"}),
    ("name", {"name": "x" * 65}),
    ("scopes", {"scopes": []}),
    ("scopes", {"scopes": ["rooms:burn"]}),
    ("scopes", {"scopes": ["keyturn:organizations:read"]}),
])  # fmt: skip
def test_a_bad_preset_is_refused_by_its_field(tenant, field, values):
    with pytest.raises(Invalid) as refused:
        presets.create(
            tenant.desk,
            tenant.administrator,
            NewPreset(**({"name": "x", "scopes": ["rooms:read"]} | values)),
        )
    assert refused.value.field == field


@pytest.mark.rfc("8707", "2")
@pytest.mark.parametrize("identifier", [
    "", "/rooms", "rooms", "https://", "https:///x", "https://a.example/#x", "https://a.example#",
    "https://a.example/ x", "https://a.example/\n", 'https://a.example/"', "https://u:p@a.example",
    "https://a.example/" + "x" * 512, "1a:b", "https://[::1", "https://é.example",
])  # fmt: skip
def test_an_identifier_is_an_absolute_uri_without_fragment(tenant, identifier):
    with pytest.raises(Invalid) as refused:
        resources.create(tenant.desk, tenant.administrator, NewResource(identifier=identifier))
    assert refused.value.field == "identifier"


@pytest.mark.parametrize("identifier", [
    "https://api.example.com", "https://api.example.com/v1?tenant=a", "urn:example:rooms",
    "http://127.0.0.1:8001", "https://[2001:db8::1]/x",
])  # fmt: skip
def test_identifiers(tenant, identifier):
    made = resources.create(
        tenant.desk, tenant.administrator, NewResource(identifier=identifier, scopes=["rooms:*"])
    )
    assert (made.identifier, made.name, made.scopes) == (identifier, identifier, ("rooms:*",))


def test_resources(house, tenant):
    desk, administrator = tenant.desk, tenant.administrator
    new = NewResource(identifier="https://api.example", name="API", environments=["live"])
    made = resources.create(desk, administrator, new)
    with pytest.raises(Conflict):
        resources.create(desk, administrator, new)
    for field, bad in (
        ("environments", {"environments": ["staging"]}),
        ("scopes", {"scopes": ["rooms:burn"]}),
        ("name", {"name": ""}),
    ):
        with pytest.raises(Invalid) as refused:
            resources.update(desk, administrator, made.id, ResourceChanges(**bad))
        assert refused.value.field == field
    changed = resources.update(desk, administrator, made.id, ResourceChanges(environments=[]))
    assert changed.environments == ()
    assert resources.list_page(desk, administrator).data == (changed,)
    client = clients.create(
        desk,
        administrator,
        NewClient(name="x", scopes=["rooms:read"], audiences=[made.identifier]),
    ).client
    with pytest.raises(Conflict, match=client.client_id):
        resources.delete(desk, administrator, made.id)
    clients.delete(desk, administrator, client.client_id)
    for _ in range(2):
        resources.delete(desk, administrator, made.id)
    assert len(tenant.events("resource.deleted")) == 1


def test_wildcards_follow_the_catalogue_and_literals_do_not(tenant):
    catalogue = tenant.desk.directory.organization(tenant.id).catalogue
    assert set(catalogue.expand(Grant.of({"rooms:*"}))) == {
        "rooms:create", "rooms:read", "rooms:write"
    }  # fmt: skip
    add(tenant, "rooms:burn")
    catalogue = tenant.desk.directory.organization(tenant.id).catalogue
    assert "rooms:burn" in catalogue.expand(Grant.of({"rooms:*"}))
    assert "rooms:burn" not in catalogue.expand(Grant.of({"rooms:write"}))
