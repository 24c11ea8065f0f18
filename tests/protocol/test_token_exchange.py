"""An API key for a short token (RFC 8693): never more than the key, and never for longer."""

from contextlib import closing

import pytest

from keyturn import FixedKeys, Verifier
from tests.support.served import eventually
from tests.support.tokens import unverified

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
SCOPES = ["bookings:read", "bookings:create"]
pytestmark = pytest.mark.rfc("8693", "2.1")


@pytest.fixture
def exchange(server):
    """``exchange(key, …)``: the answer; no client is named."""

    def ask(key, auth=None, **form):
        data = {
            "grant_type": GRANT,
            "subject_token": getattr(key, "key", key),
            "subject_token_type": ACCESS_TOKEN,
            **form,
        }
        sent = {name: value for name, value in data.items() if value is not None}
        return server.post("/oauth/token", data=sent, auth=auth)

    return ask


@pytest.fixture
def token(exchange):
    def issued(key, **form):
        response = exchange(key, **form)
        assert response.status_code == 200, response.text
        return response.json()["access_token"]

    return issued


@pytest.fixture(scope="module")
def asker(installation):
    return installation.client(["keyturn:introspect"])


@pytest.fixture
def introspect(server, asker):
    return lambda token: server.post(
        "/oauth/introspect", data={"token": token}, auth=tuple(asker)
    ).json()


@pytest.mark.rfc("8693", "2.2.1")
def test_a_key_becomes_a_token(installation, exchange):
    key = installation.api_key(SCOPES, environment="test")
    response = exchange(key)
    assert response.status_code == 200, response.text
    assert response.headers["Cache-Control"] == "no-store"
    body = response.json()
    assert body["issued_token_type"] == ACCESS_TOKEN
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    claims = unverified(body["access_token"])
    assert claims["sub"] == claims["client_id"] == key.id
    assert claims["scope"] == body["scope"] == "bookings:create bookings:read"
    assert (claims["env"], claims["org"]) == ("test", installation.organization_id)
    assert claims["exp"] - claims["iat"] == 900


def test_whose_it_is_can_be_read_offline(installation, server, token):
    key, client = installation.api_key(SCOPES), installation.client(SCOPES)
    issuer = unverified(token(key))["iss"]
    jwks = FixedKeys.of_jwks(server.get("/.well-known/jwks.json").json())
    with closing(Verifier(issuer, issuer, keys=jwks)) as verifier:
        for presented, kind, id in (
            (token(key), "api_key", key.id), (server.token(client), "client", client.client_id)
        ):  # fmt: skip
            principal = verifier.verify(f"Bearer {presented}")
            assert (principal.kind, principal.id) == (kind, id)


def test_a_key_whose_text_tells_no_environment_has_one(installation, token):
    organization = installation.organization(
        scopes=["a:b"], environments=["production", "staging"],
        key_template={"prefix": "bare", "environments": []},
    )  # fmt: skip
    for environment in ("production", "staging"):
        key = installation.api_key(["a:b"], organization=organization, environment=environment)
        assert unverified(token(key))["env"] == environment
        [row] = installation.rows("SELECT environment FROM api_keys WHERE id = :id", id=key.id)
        assert row.environment == environment


def test_less_may_be_asked_for_and_never_more(installation, exchange, token):
    key = installation.api_key(SCOPES)
    assert unverified(token(key, scope="bookings:read"))["scope"] == "bookings:read"
    for scope in ("bookings:cancel", "bookings:*", "keyturn:keys:read", "no:such"):
        refused = exchange(key, scope=scope)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


def test_what_the_catalogue_implies_later_is_not_the_keys(installation, token):
    installation.scope("late:read")
    key = installation.api_key(["late:read"])
    installation.scope("late:write", implies=["late:read"])
    assert unverified(token(key))["scope"] == "late:read"


def test_the_audience_is_within_the_organizations(installation, exchange, token):
    installation.resource("https://test.example", scopes=["reports:*"], environments=["test"])
    installation.resource("https://live.example", scopes=["reports:*"], environments=["live"])
    key = installation.api_key(["reports:read"])
    eventually(lambda: unverified(token(key))["aud"] == "https://live.example")
    for resource in ("https://test.example", "https://nobody.example"):
        refused = exchange(key, resource=resource)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")


def test_the_token_ends_with_the_key_at_the_latest(installation, exchange):
    body = exchange(installation.api_key(SCOPES, expires_in=60)).json()
    assert 0 < body["expires_in"] <= 60


@pytest.mark.row("S1-17", "S3-10")
def test_revoking_the_key_ends_its_tokens_here_at_once(installation, token, introspect):
    key = installation.api_key(SCOPES)
    issued = token(key)
    found = introspect(issued)
    assert (found["active"], found["credential"], found["sub"]) == (True, "api_key", key.id)
    installation.revoke_key(key.id)
    eventually(lambda: introspect(issued) == {"active": False})
    assert installation.http.get(
        "/v1/me", headers={"Authorization": f"Bearer {issued}"}
    ).status_code == 401  # fmt: skip


def test_it_shares_the_keys_limits_and_rights_at_the_management_api(installation, server, token):
    key = installation.api_key(["keyturn:keys:read"], rate_limits=[{"limit": 3, "window": "day"}])
    issued = [token(key), token(key)]

    def status(credential):
        sent = {"Authorization": f"Bearer {credential}"}
        return server.request("GET", "/v1/api-keys?limit=1", headers=sent).status_code

    assert [status(one) for one in (key.key, *issued, key.key, *issued)] == [200] * 3 + [429] * 3


@pytest.mark.rfc("8693", "2.2.2")
@pytest.mark.parametrize(
    "form",
    [
        {"subject_token": None},
        {"subject_token": ""},
        {"subject_token_type": None},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"actor_token": "x"},
        {"actor_token_type": ACCESS_TOKEN},
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused(installation, exchange, form):
    refused = exchange(installation.api_key(SCOPES), **form)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


def test_every_subject_that_is_none_reads_the_same(installation, exchange, token):
    key, revoked, disabled = (installation.api_key(SCOPES) for _ in range(3))
    installation.revoke_key(revoked.id)
    answers = [
        exchange(one)
        for one in (revoked, key.key[:-1], "kt_live_" + "0" * 32 + "_000000", token(key), "x")
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["error"] == "invalid_request"
    assert exchange(disabled).status_code == 200


@pytest.mark.row("S2-5")
@pytest.mark.parametrize(
    "bound", [{"allowed_ips": ["127.0.0.0/8"]}, {"allowed_domains": ["a.example"]}], ids=str
)
def test_a_bound_key_gets_no_token_that_is_good_anywhere(installation, exchange, bound):
    refused = exchange(installation.api_key(SCOPES, **bound))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


def test_a_client_that_is_named_must_prove_itself(installation, exchange):
    key, client = installation.api_key(SCOPES), installation.client(["bookings:cancel"])
    body = exchange(key, auth=tuple(client)).json()
    assert unverified(body["access_token"])["sub"] == key.id
    assert body["scope"] == "bookings:create bookings:read"
    refused = exchange(key, auth=(client.client_id, "wrong"))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


@pytest.mark.row("S2-8")
def test_issuing_and_refusing_are_events(installation, server, exchange):
    key = installation.api_key(SCOPES)
    exchange(key)
    installation.revoke_key(key.id)
    eventually(lambda: exchange(key).status_code == 400)

    def events():
        found = installation.rows(
            "SELECT type, actor_type, reason FROM audit_events WHERE actor_id = :id", id=key.id
        )
        return {tuple(one) for one in found}

    wanted = {("token.issued", "api_key", None), ("api_key.refused", "api_key", "revoked")}
    eventually(lambda: events() >= wanted)
