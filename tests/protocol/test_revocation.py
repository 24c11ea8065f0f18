"""POST /oauth/revoke (RFC 7009): own tokens; keys and client secrets by possession."""

import pytest

from app.apikeys import lifecycle
from app.apikeys.importing import ForeignKey, import_keys
from app.apikeys.values import NewApiKey
from keyturn.apikey import DEFAULT_API_KEY, DEFAULT_CLIENT_SECRET
from tests.support.installation import installed
from tests.support.served import eventually
from tests.support.tokens import unverified

INACTIVE = {"active": False}


@pytest.fixture(scope="module")
def own(installation):
    return installation.organization("Own", scopes=["a:b"])


@pytest.fixture(scope="module")
def overseer(installation):
    return installation.client(["keyturn:introspect", "keyturn:organizations:read"])


@pytest.fixture(scope="module")
def client(installation, own):
    return installation.client(["a:b"], organization=own)


@pytest.fixture
def is_active(server, overseer):
    def ask(presented):
        data = {"token": presented}
        body = server.post("/oauth/introspect", data=data, auth=overseer).json()
        assert body["active"] or body == INACTIVE
        return body["active"]

    return ask


def revoke(server, presented, by=None, **also):
    return server.post("/oauth/revoke", data={"token": presented, **also}, auth=by)


def is_done(response):
    """RFC 7009 §2.2: the one answer, whatever was done."""
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {}
    return True


@pytest.mark.rfc("7009", "2.1")
def test_a_client_revokes_its_own_token(server, client, is_active):
    token, other = server.token(client), server.token(client)
    assert is_active(token)
    assert is_done(revoke(server, token, client))
    assert not is_active(token)  # at once, in the process that was asked
    assert is_active(other)
    assert is_done(revoke(server, token, client))  # again: nothing changes


@pytest.mark.rfc("7009", "2.1")
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "api_key", "nonsense"])
def test_the_hint_is_only_a_hint(server, client, is_active, hint):
    token = server.token(client)
    assert is_done(revoke(server, token, client, token_type_hint=hint))
    assert not is_active(token)


@pytest.mark.rfc("7009", "2.1")
def test_anothers_token_stays(server, client, is_active, installation, own, overseer):
    token = server.token(client)
    neighbour = installation.client(["a:b"], organization=own)
    for somebody in (neighbour, overseer):
        assert is_done(revoke(server, token, somebody))
        assert is_active(token)


@pytest.mark.rfc("7009", "2.2")
@pytest.mark.parametrize(
    "presented", ["nonsense", "a.b.c", "..", "kt_live_" + "0" * 32 + "_000000", " ", "x" * 20000]
)
def test_what_is_no_token_is_revoked_already(server, client, presented):
    assert is_done(revoke(server, presented, client))


def test_a_token_alone_is_no_proof(server, client, is_active):
    token = server.token(client)
    response = revoke(server, token)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert is_active(token)


def test_a_wrong_secret_revokes_nothing(server, client, is_active):
    token = server.token(client)
    assert revoke(server, token, (client.client_id, "wrong")).status_code == 401
    assert is_active(token)


def test_the_token_is_required(server, client):
    for data in ({}, {"token": ""}):
        response = server.post("/oauth/revoke", data=data, auth=client)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert server.post("/oauth/revoke", data={"token": ""}).status_code == 401


# API keys: whoever holds a leaked one may end it --------------------------------------------------


def test_a_key_is_revoked_by_presenting_it(server, installation, own, is_active):
    key = installation.api_key(["a:b"], organization=own)
    assert is_active(key.key)
    assert is_done(revoke(server, key.key))
    assert not is_active(key.key)
    assert is_done(revoke(server, key.key))
    (status,) = installation.rows("SELECT status FROM api_keys WHERE id = :id", id=key.id)[0]
    assert status == "revoked"


def test_a_key_is_revoked_by_any_client_that_presents_it(server, installation, own, is_active):
    key = installation.api_key(["a:b"], organization=own)
    finder = installation.client()
    assert is_done(revoke(server, key.key, finder))
    assert not is_active(key.key)


@pytest.mark.parametrize("also", [{}, {"client_id": "client_x"}])
def test_a_keys_look_alike_is_answered_alike(server, also):
    # Checked by its checksum only: whoever makes one up learns nothing and changes nothing.
    made_up = DEFAULT_API_KEY.generate("live")
    assert is_done(revoke(server, made_up, **also))


def test_something_else_than_a_key_needs_a_client(server, installation, own):
    key = installation.api_key(["a:b"], organization=own)
    for presented in (key.key + "x", key.key[:-1], key.id, "nonsense"):
        assert revoke(server, presented).status_code == 401


def test_a_wrong_secret_beside_a_key_is_refused(server, installation, own, is_active):
    key = installation.api_key(["a:b"], organization=own)
    assert revoke(server, key.key, ("nobody", "wrong")).status_code == 401
    assert is_active(key.key)


def test_a_disabled_key_is_ended_for_good(server, installation, own):
    """Or it would open again what it opened once it is enabled, although the answer was 200."""
    key = installation.api_key(["a:b"], organization=own)
    lifecycle.disable(installation.desk, installation.operator, key.id, organization_id=own)
    assert is_done(revoke(server, key.key))
    (status,) = installation.rows("SELECT status FROM api_keys WHERE id = :id", id=key.id)[0]
    assert status == "revoked"


def test_a_key_of_a_suspended_organization_is_ended_for_good(server, installation, is_active):
    organization = installation.organization(scopes=["a:b"])
    key = installation.api_key(["a:b"], organization=organization)
    installation.suspend(organization)
    eventually(lambda: not is_active(key.key))
    assert is_done(revoke(server, key.key))
    installation.resume(organization)
    (status,) = installation.rows("SELECT status FROM api_keys WHERE id = :id", id=key.id)[0]
    assert status == "revoked"


def test_an_imported_key_is_revoked_by_presenting_it(server, installation, own, is_active):
    key = f"former-system-{own}"
    new = NewApiKey(name="x", scopes=["a:b"])
    import_keys(
        installation.desk, installation.operator, [ForeignKey(place="1", new=new, key=key)],
        organization_id=own,
    )  # fmt: skip
    assert is_active(key)
    assert is_done(revoke(server, key))
    assert not is_active(key)


def test_a_client_secret_is_revoked_by_presenting_it(server, installation, own):
    client = installation.client(["a:b"], organization=own)
    other = installation.secret(client.client_id, organization=own)
    assert server.ask(client).status_code == 200
    for _ in range(2):
        assert is_done(revoke(server, client.client_secret))
    assert server.ask(client).status_code == 401
    assert server.ask((client.client_id, other.client_secret)).status_code == 200
    events = installation.rows(
        "SELECT actor_type, actor_id, organization_id FROM audit_events "
        "WHERE type = 'client_secret.revoked' AND target_id = :id",
        id=client.client_id,
    )
    assert [tuple(event) for event in events] == [("client", client.client_id, own)]


def test_a_client_secret_is_revoked_by_any_client_that_presents_it(server, installation, own):
    client, finder = installation.client(["a:b"], organization=own), installation.client()
    assert is_done(revoke(server, client.client_secret, finder))
    assert server.ask(client).status_code == 401


@pytest.mark.parametrize("template", [DEFAULT_API_KEY, DEFAULT_CLIENT_SECRET])
def test_guesses_count_against_the_address(tmp_path, template):
    with installed(tmp_path, KEYTURN_FAILED_AUTHENTICATION_LIMIT="3/minute") as guarded:
        key, secret = guarded.api_key(), guarded.client().client_secret

        def presented(text):
            return guarded.http.post("/oauth/revoke", data={"token": text}).status_code

        assert [presented(template.generate("live")) for _ in range(3)] == [200] * 3
        assert presented(template.generate("live")) == 429
        assert [presented(secret), presented("nonsense"), presented(key.key)] == [429] * 3


# What is remembered -------------------------------------------------------------------------------


def test_it_is_written_down_who_revoked_what(server, installation, own, client):
    token = server.token(client)
    key = installation.api_key(["a:b"], organization=own)
    revoke(server, token, client)
    revoke(server, key.key)
    events = installation.rows(
        "SELECT type, actor_type, actor_id, organization_id, target_type, target_id, reason "
        "FROM audit_events WHERE type IN ('token.revoked', 'api_key.revoked') "
        "ORDER BY id DESC LIMIT 2"
    )
    assert [tuple(event) for event in reversed(events)] == [
        ("token.revoked", "client", client.client_id, own, "token", unverified(token)["jti"], None),
        ("api_key.revoked", "api_key", key.id, own, "api_key", key.id, "by_possession"),
    ]


def test_it_is_remembered_until_the_token_would_have_ended(server, installation, client):
    token = server.token(client)
    revoke(server, token, client)
    claims = unverified(token)
    (row,) = installation.rows(
        "SELECT client_id FROM revoked_tokens WHERE jti = :jti", jti=claims["jti"]
    )
    assert tuple(row) == (client.client_id,)
