"""What names a scope, and what a preset opens."""

import pytest


@pytest.fixture
def house(installation, tenant):
    """A tenant with scopes of halls, a resource that owns them, and who names them."""
    made = tenant()
    at = {"organization": made.organization_id}
    installation.scope("halls:read", description="Look at halls", **at)
    installation.scope("halls:write", implies=["halls:read"], **at)
    installation.resource("https://halls.example.com", scopes=["halls:*"], **at)
    return made, at


def test_what_names_a_scope(installation, house):
    owner, at = house
    key = installation.api_key(["halls:read"], **at)
    revoked = installation.api_key(["halls:read"], **at)
    installation.revoke_key(revoked.id, **at)
    client = installation.client(["halls:read", "halls:write"], **at)
    wide = installation.client(["halls:*"], **at)
    installation.preset("web", ["halls:read"], **at)
    shown = owner.admin.get("/v1/scopes/halls:read").json()
    assert shown["description"] == "Look at halls"
    assert [(one["type"], one["id"]) for one in shown["named_by"]] == [
        ("client", client.client_id),
        ("api_key", key.id),
        ("preset", "web"),
        ("scope", "halls:write"),
    ]
    assert wide.client_id not in str(shown)
    assert "named_by" not in owner.admin.get("/v1/scopes").json()["data"][0]
    builtin = owner.admin.get("/v1/scopes/keyturn:clients:read").json()
    # The administrator's key has `keyturn:*`: what a key holds, it holds by name.
    assert (builtin["builtin"], [one["type"] for one in builtin["named_by"]]) == (True, ["api_key"])


def test_what_names_it_elsewhere_is_not_told(installation, house, tenant):
    _, at = house
    installation.client(["halls:read"], **at)
    other = tenant()
    installation.scope("halls:read", organization=other.organization_id)
    assert other.admin.get("/v1/scopes/halls:read").json()["named_by"] == []


@pytest.mark.parametrize(
    ("scopes", "opens"),
    [
        (["halls:read"], {"halls:read": "halls:read"}),
        (["halls:write"], {"halls:read": "halls:write", "halls:write": "halls:write"}),
        (["halls:*"], {"halls:read": "halls:*", "halls:write": "halls:*"}),
    ],
    ids=range(3),
)
def test_what_a_preset_opens(installation, house, scopes, opens):
    owner, at = house
    installation.preset("web", scopes, **at)
    shown = owner.admin.get("/v1/presets/web").json()
    assert shown["scopes"] == scopes
    assert {one["scope"]: one["by"] for one in shown["opens"]} == opens
    assert shown["opens"][0] == {
        "scope": "halls:read",
        "description": "Look at halls",
        "by": opens["halls:read"],
        "audiences": ["https://halls.example.com"],
    }
    installation.scope("halls:clean", **at)
    later = {one["scope"] for one in owner.admin.get("/v1/presets/web").json()["opens"]}
    assert later - opens.keys() == ({"halls:clean"} if scopes == ["halls:*"] else set())
