"""Clients and their secrets."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from app.admin import client_secrets, clients
from app.admin.client_secrets import MAX_USABLE, NewSecret
from app.admin.clients import ClientChanges, NewClient
from app.errors import Conflict, Forbidden, Invalid, NotFound
from keyturn.apikey import DEFAULT_CLIENT_SECRET
from tests.support.assertions import SigningKey


def make(tenant, **also):
    values = {"name": "x", "scopes": None if "preset" in also else ["rooms:read"]}
    return clients.create(tenant.desk, tenant.administrator, NewClient(**(values | also)))


def secrets(tenant, client_id):
    found = client_secrets.list_all(tenant.desk, tenant.administrator, client_id)
    return {secret.id: secret for secret in found}


def test_a_secret_is_shown_once_and_kept_as_its_hash(house, tenant):
    made = make(tenant, name="Booking service", environment="test")
    assert DEFAULT_CLIENT_SECRET.read(made.client_secret).environment == "test"
    assert made.client_secret not in repr(made)
    client = clients.show(tenant.desk, tenant.administrator, made.client.client_id)
    assert client == made.client
    assert (client.status, client.token_endpoint_auth_method) == ("active", "client_secret_basic")
    [row] = house.rows("SELECT * FROM client_secrets WHERE id = :id", id=made.client_secret_id)
    assert bytes(row.digest) == hashlib.sha256(made.client_secret.encode()).digest()
    for table in ("clients", "client_secrets", "audit_events", "changes"):
        assert made.client_secret.split("_")[2] not in str(house.rows(f"SELECT * FROM {table}"))
    [event] = tenant.events("client.created")
    assert (event.target_id, event.actor_id) == (client.client_id, "usr_somebody")


@pytest.mark.parametrize(("field", "values"), [
    ("name", {"name": ""}),
    ("name", {"name": "x" * 101}),
    ("name", {"name": "a\x00"}),
    ("description", {"description": "x" * 1001}),
    ("environment", {"environment": "staging"}),
    ("scopes", {"scopes": ["rooms:burn"]}),
    ("scopes", {"scopes": ["rooms"]}),
    ("scopes", {"scopes": ["rooms:read rooms:write"]}),
    ("scopes", {"scopes": None}),
    ("preset", {"preset": "x", "scopes": ["rooms:read"]}),
    ("preset", {"preset": "x"}),
    ("audiences", {"audiences": ["https://nobody.example"]}),
    ("audiences", {"audiences": [f"https://{n}.example" for n in range(51)]}),
    ("token_ttl", {"token_ttl": 9}),
    ("token_ttl", {"token_ttl": 86401}),
    ("token_endpoint_auth_method", {"token_endpoint_auth_method": "none"}),
    ("jwks", {"token_endpoint_auth_method": "private_key_jwt"}),
    ("expires_at", {"secret_expires_at": datetime(2020, 1, 1, tzinfo=UTC)}),
])  # fmt: skip
def test_a_bad_value_is_refused_by_its_field(tenant, field, values):
    with pytest.raises(Invalid) as refused:
        make(tenant, **values)
    assert refused.value.field == field
    # The same at a change: what is checked at creation only is not checked.
    if values == {"scopes": None} or "environment" in values or "secret_expires_at" in values:
        return
    client_id = make(tenant).client.client_id
    with pytest.raises(Invalid) as refused:
        clients.update(tenant.desk, tenant.administrator, client_id, ClientChanges(**values))
    assert refused.value.field == field


EC = SigningKey("ES256", kid="a")
SHORT = {"kty": "RSA", "e": "AQAB", "n": "x" * 171}


@pytest.mark.parametrize(("field", "values"), [
    ("jwks", {}),
    ("jwks", {"jwks": EC.jwks, "jwks_uri": "https://a.example/jwks"}),
    ("jwks", {"jwks": {}}),
    ("jwks", {"jwks": {"keys": []}}),
    ("jwks", {"jwks": {"keys": "x"}}),
    ("jwks", {"jwks": {"keys": [SHORT]}}),
    ("jwks", {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}),
    ("jwks", {"jwks": {"keys": [EC.private_jwk]}}),
    ("jwks", {"jwks": {"keys": [EC.jwk, EC.jwk]}}),
    ("jwks", {"jwks": {"keys": [EC.jwk] * 21}}),
    ("jwks", {"jwks": {"keys": [EC.jwk | {"x5c": ["x" * 17_000]}]}}),
    ("jwks_uri", {"jwks_uri": "http://a.example/jwks"}),
    ("jwks_uri", {"jwks_uri": "https:///jwks"}),
    ("jwks_uri", {"jwks_uri": "https://u:p@a.example/"}),
    ("jwks_uri", {"jwks_uri": "https://a.example/#x"}),
    ("jwks_uri", {"jwks_uri": "https://a.example/" + "x" * 512}),
    ("jwks", {"token_endpoint_auth_method": "client_secret_basic", "jwks": EC.jwks}),
])  # fmt: skip
def test_keys_of_a_client_that_signs(tenant, field, values):
    said = {"token_endpoint_auth_method": "private_key_jwt"} | values
    with pytest.raises(Invalid) as refused:
        make(tenant, **said)
    assert refused.value.field == field


def test_the_way_to_a_key_and_back(tenant):
    def update(**changes):
        return clients.update(
            tenant.desk, tenant.administrator, made.client_id, ClientChanges(**changes)
        )

    made = make(tenant).client
    with pytest.raises(Invalid):
        update(token_endpoint_auth_method="private_key_jwt")
    signing = update(token_endpoint_auth_method="private_key_jwt", jwks=EC.jwks)
    assert (signing.jwks, signing.jwks_uri) == (EC.jwks, None)
    elsewhere = update(jwks_uri="https://a.example/jwks")
    assert (elsewhere.jwks, elsewhere.jwks_uri) == (None, "https://a.example/jwks")
    assert update(name="other").jwks_uri == elsewhere.jwks_uri
    back = update(token_endpoint_auth_method="client_secret_basic")
    assert (back.jwks, back.jwks_uri) == (None, None)


def test_updates_change_what_is_named(house, tenant):
    made = make(tenant, description="d", token_ttl=60, scopes=["rooms:*"]).client
    house.preset("reading", ["rooms:read"], organization=tenant.id)

    def update(**changes):
        return clients.update(
            tenant.desk, tenant.administrator, made.client_id, ClientChanges(**changes)
        )

    renamed = update(name="new")
    assert renamed == dataclasses.replace(made, name="new", updated_at=renamed.updated_at)
    assert update(token_ttl=None).token_ttl is None
    preset = update(preset="reading")
    assert (preset.preset, preset.scopes) == ("reading", ("rooms:read",))
    plain = update(scopes=["rooms:*"])
    assert (plain.preset, plain.scopes) == (None, ("rooms:*",))
    events = len(tenant.events("client.updated"))
    assert update(scopes=["rooms:*"]) == plain
    assert len(tenant.events("client.updated")) == events == 4


def test_the_directory_sees_changes_at_once(tenant):
    directory, client_id = tenant.desk.directory, make(tenant).client.client_id
    assert directory.client(client_id).status == "active"
    clients.disable(tenant.desk, tenant.administrator, client_id)
    assert directory.client(client_id).status == "disabled"
    clients.enable(tenant.desk, tenant.administrator, client_id)
    client_secrets.add(tenant.desk, tenant.administrator, client_id, NewSecret())
    assert len(directory.client(client_id).secrets) == 2
    clients.delete(tenant.desk, tenant.administrator, client_id)
    assert directory.client(client_id) is None


def test_standing_is_idempotent(tenant):
    client_id = make(tenant).client.client_id
    for _ in range(2):
        assert clients.disable(tenant.desk, tenant.administrator, client_id).status == "disabled"
    for _ in range(2):
        assert clients.enable(tenant.desk, tenant.administrator, client_id).status == "active"
    assert len(tenant.events("client.disabled")) == len(tenant.events("client.enabled")) == 1


def test_deleting_takes_the_secrets_along_and_may_be_repeated(house, tenant, other):
    client_id = make(tenant).client.client_id
    for _ in range(2):
        clients.delete(tenant.desk, tenant.administrator, client_id)
    count = house.rows("SELECT COUNT(*) AS n FROM client_secrets WHERE client_id = :c", c=client_id)
    assert count[0].n == 0
    assert len(tenant.events("client.deleted")) == 1
    with pytest.raises(NotFound):
        clients.show(tenant.desk, tenant.administrator, client_id)
    with pytest.raises(NotFound):  # what somebody else deleted was never ours
        clients.delete(tenant.desk, other.administrator, client_id)
    with pytest.raises(NotFound):
        clients.delete(tenant.desk, tenant.administrator, "client_never")


def test_a_new_secret_lets_the_others_live_for_the_grace(tenant):
    made = make(tenant)
    client_id = made.client.client_id

    def add(**also):
        return client_secrets.add(tenant.desk, tenant.administrator, client_id, NewSecret(**also))

    second = add(note="laptop")
    found = secrets(tenant, client_id)
    assert found[made.client_secret_id].expires_at is None
    assert (found[second.id].note, found[second.id].status) == ("laptop", "active")
    third = add(grace_seconds=3600)
    ends_at = secrets(tenant, client_id)[second.id].expires_at
    assert timedelta(minutes=59) < ends_at - datetime.now(UTC) <= timedelta(hours=1)
    add(grace_seconds=7200)  # a longer grace gives nobody a longer life
    assert secrets(tenant, client_id)[second.id].expires_at == ends_at
    last = add(grace_seconds=0)
    found = secrets(tenant, client_id)
    assert {id for id, secret in found.items() if secret.status == "active"} == {last.id}
    assert found[third.id].status == "revoked"


def test_ending_a_secret_is_idempotent(house, tenant):
    made = make(tenant)
    client_id, secret_id = made.client.client_id, made.client_secret_id
    query = "SELECT revoked_at FROM client_secrets WHERE id = :id"
    seen = set()
    for _ in range(2):
        client_secrets.remove(tenant.desk, tenant.administrator, client_id, secret_id)
        seen.add(house.rows(query, id=secret_id)[0].revoked_at)
    assert len(seen) == 1
    assert secrets(tenant, client_id)[secret_id].status == "revoked"
    assert len(tenant.events("client_secret.revoked")) == 1
    client = tenant.desk.directory.client(client_id)
    assert client.secrets == ()


def test_a_secret_is_ended_at_its_own_client_only(tenant):
    first, second = make(tenant), make(tenant)
    with pytest.raises(NotFound):
        client_secrets.remove(
            tenant.desk, tenant.administrator, first.client.client_id, second.client_secret_id
        )
    assert secrets(tenant, second.client.client_id)[second.client_secret_id].status == "active"


def test_usable_secrets_are_bounded(tenant):
    client_id = make(tenant).client.client_id

    def add(**also):
        client_secrets.add(tenant.desk, tenant.administrator, client_id, NewSecret(**also))

    for _ in range(MAX_USABLE - 1):
        add()
    with pytest.raises(Conflict):
        add()
    with pytest.raises(Conflict):
        add(grace_seconds=60)
    add(grace_seconds=0)


@pytest.mark.parametrize(("field", "values"), [
    ("grace_seconds", {"grace_seconds": -1}),
    ("grace_seconds", {"grace_seconds": 366 * 86400}),
    ("note", {"note": "x" * 201}),
    ("note", {"note": "a\x1b[2J"}),
    ("expires_at", {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}),
])  # fmt: skip
def test_bad_values_of_a_secret(tenant, field, values):
    made = make(tenant)
    with pytest.raises(Invalid) as refused:
        client_secrets.add(
            tenant.desk, tenant.administrator, made.client.client_id, NewSecret(**values)
        )
    assert refused.value.field == field
    assert secrets(tenant, made.client.client_id).keys() == {made.client_secret_id}


@pytest.mark.parametrize("client_id", ["", "a b", "\x00", "x" * 65, "client_x'--", "../../x", "é"])
def test_an_impossible_id_is_not_found(tenant, client_id):
    for act in (clients.show, clients.delete, client_secrets.list_all):
        with pytest.raises(NotFound):
            act(tenant.desk, tenant.administrator, client_id)


def test_lists_filter_and_go_on(tenant):
    made = [make(tenant, environment=("live", "test")[n % 2]).client.client_id for n in range(5)]
    clients.disable(tenant.desk, tenant.administrator, made[0])

    def ids(**also):
        page = clients.list_page(tenant.desk, tenant.administrator, **also)
        return [client.client_id for client in page.data]

    assert sorted(ids(environment="test")) == sorted(made[1::2])
    assert ids(status="disabled") == made[:1]
    assert set(ids()) == set(made)
    first = clients.list_page(tenant.desk, tenant.administrator, limit=3)
    assert ids(limit=3, cursor=first.next_cursor) == ids()[3:]
    with pytest.raises(Invalid):
        ids(status="gone")


def test_nothing_is_half_made(house, tenant):
    """The record, its event and its change stand together or not at all."""
    before = house.rows("SELECT COUNT(*) AS n FROM changes")[0].n
    with pytest.raises(Forbidden):
        clients.create(
            tenant.desk,
            tenant.actor(["keyturn:clients:write"]),
            NewClient(name="x", scopes=["rooms:read"]),
        )
    assert tenant.events("client.created") == []
    assert house.rows("SELECT COUNT(*) AS n FROM changes")[0].n == before
