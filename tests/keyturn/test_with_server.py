"""The library against the real server: the same bytes on both sides of the wire."""

import asyncio
from datetime import timedelta

import pytest
from jwt import get_unverified_header

from app.admin.clients import delete
from app.errors import Conflict
from keyturn import CredentialRefused, InsufficientScope, Verifier
from keyturn.client import TokenRefused, TokenSource
from tests.support.served import eventually, serving

API = "https://bookings.example"
EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}


@pytest.fixture(scope="module")
def api(installation):
    """A resource that owns the booking scopes, and its own client for introspection."""
    installation.resource(API, scopes=["bookings:*"])
    return installation.client(["keyturn:introspect"])


@pytest.fixture
def verifier(server, api, time):
    issuer = server.get("/.well-known/oauth-authorization-server").json()["issuer"]
    made = Verifier(
        issuer, API, *api, max_staleness=timedelta(seconds=15), monotonic=time.monotonic
    )
    yield made
    made.close()


def test_a_token_of_the_server(installation, server, verifier):
    client = installation.client(["bookings:write"])
    principal = verifier.verify(f"Bearer {server.token(client)}")
    assert (principal.kind, principal.client_id) == ("client", client.client_id)
    assert principal.organization == installation.organization_id
    assert str(principal.scopes) == "bookings:create bookings:write"
    with pytest.raises(InsufficientScope):
        principal.require("bookings:read")


def test_a_token_for_another_resource(installation, server, verifier):
    installation.resource("https://reports.example", scopes=["reports:read"])
    client = installation.client(["reports:read"])
    with pytest.raises(CredentialRefused) as refused:
        verifier.verify(f"Bearer {server.token(client)}")
    assert refused.value.reason == "wrong_audience"


def test_a_standing_verifier_knows_every_key_that_signs(installation, server, verifier):
    """It fetched the keys a moment ago and does not fetch again for half a minute."""
    client = installation.client(["bookings:read"])

    def presented(kid):
        eventually(lambda: get_unverified_header(server.token(client))["kid"] == kid)
        return f"Bearer {server.token(client)}"

    assert verifier.verify(f"Bearer {server.token(client)}")
    known = presented(installation.rotate_signing_key(force=False))
    assert verifier.verify(known)
    with pytest.raises(Conflict, match="Verifiers may not know the next key yet"):
        installation.rotate_signing_key(force=False)
    assert verifier.verify(f"Bearer {server.token(client)}")
    # What forcing breaks: new tokens, for a while; not those that are out.
    unknown = presented(installation.rotate_signing_key(force=True))
    with pytest.raises(CredentialRefused) as refused:
        verifier.verify(unknown)
    assert refused.value.reason == "unknown_key"
    assert verifier.verify(known)


def test_a_key_of_the_server_until_it_is_revoked(installation, verifier, time):
    made = installation.api_key(["bookings:read"], environment="live", expires_in=3600)
    principal = verifier.verify(f"Bearer {made.key}")
    assert (principal.kind, principal.id, principal.environment) == ("api_key", made.id, "live")
    assert str(principal.scopes) == "bookings:read"
    assert principal.expires_at is not None
    installation.revoke_key(made.id)

    def reason():
        time.advance(15)  # what was remembered is too old, so the server is asked
        try:
            verifier.verify(f"Bearer {made.key}")
        except CredentialRefused as refused:
            return refused.reason
        return None

    # The served process hears of it through its feed of changes.
    assert eventually(reason) == "revoked"


def test_a_restricted_key_of_the_server(installation, verifier):
    made = installation.api_key(["bookings:read"], allowed_ips=["192.0.2.0/24"], environment="test")
    assert verifier.verify(f"Bearer {made.key}", ip="192.0.2.7").environment == "test"
    with pytest.raises(CredentialRefused) as refused:
        verifier.verify(f"Bearer {made.key}", ip="198.51.100.7")
    assert refused.value.reason == "ip_not_allowed"


def test_a_source_of_tokens_of_the_server(installation, server, verifier):
    client = installation.client(["bookings:read", "bookings:write"])
    source = TokenSource(server.url, *client, scope="bookings:read", resource=API)
    principal = verifier.verify(f"Bearer {source.token()}")
    assert (principal.client_id, str(principal.scopes)) == (client.client_id, "bookings:read")
    assert asyncio.run(source.token_async()) == source.token()
    with pytest.raises(TokenRefused) as refused:
        source.token(scope="reports:read")
    assert refused.value.error == "invalid_scope"
    source.close()


@pytest.mark.parametrize("method", [None, "client_secret_post"])
def test_a_wrong_secret_of_a_source(installation, server, method):
    client = installation.client(["bookings:read"])
    right = TokenSource(server.url, *client, auth_method=method)
    assert right.token()
    wrong = TokenSource(server.url, client.client_id, client.client_secret + "x")
    with pytest.raises(TokenRefused) as refused:
        wrong.token()
    assert (refused.value.status, refused.value.error) == (401, "invalid_client")
    assert refused.value.error_description == "Client authentication failed"
    for source in (right, wrong):
        source.close()


@pytest.mark.row("S1-17", "S3-10")
@pytest.mark.rfc("7009", "2.1")
def test_revocation_reaches_a_verifier_that_asks_nobody(any_installation):
    """Each kind of end, seen offline: the lists alone tell, and each tells of nobody else."""
    house = any_installation
    clients = {name: house.client() for name in ("secret", "client", "disabled", "token", "other")}
    key = house.api_key()
    with serving(house) as served:
        url = served.url
        verifier = Verifier(url, url, status_interval=timedelta(milliseconds=100))

        def reason(presented):
            try:
                verifier.verify(f"Bearer {presented}")
            except CredentialRefused as refused:
                return str(refused.reason)
            return "good"

        tokens = {name: served.token(client) for name, client in clients.items()}
        tokens["key"] = served.post("/oauth/token", data={**EXCHANGE, "subject_token": key.key})
        tokens["key"] = tokens["key"].json()["access_token"]
        beside = served.token(clients["token"])
        assert {reason(one) for one in tokens.values()} == {"good"}
        found = house.rows(
            "SELECT id FROM client_secrets WHERE client_id = :id", id=clients["secret"].client_id
        )
        house.end_secret(clients["secret"].client_id, found[0].id)
        delete(house.desk, house.operator, clients["client"].client_id)
        house.disable(clients["disabled"].client_id)
        served.post("/oauth/revoke", data={"token": tokens["token"]}, auth=clients["token"])
        house.revoke_key(key.id)
        expected = dict.fromkeys(tokens, "revoked") | {"disabled": "disabled", "other": "good"}
        eventually(lambda: {name: reason(one) for name, one in tokens.items()} == expected)
        assert reason(beside) == "good"
        house.enable(clients["disabled"].client_id)
        eventually(lambda: reason(tokens["disabled"]) == "good")
        verifier.close()
