"""Resource servers in other languages: each as its page has it, before a served issuer.

What a configuration does not cover is written on its page, and tested here as such.
"""

import time

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.interop import fronts
from tests.support.served import HOST, eventually, free_port, serving
from tests.support.tokens import unverified

AUDIENCE = "https://api.example.com"
TOKEN = "at+jwt"


@pytest.fixture(scope="module")
def installation(installation):
    installation.scope("bookings:reading")
    installation.resource(AUDIENCE, scopes=["bookings:read", "bookings:create", "bookings:reading"])
    installation.resource("https://other.example.com")
    return installation


@pytest.fixture(scope="module", params=fronts.KINDS)
def front(request, installation, server):
    caller = installation.client(["keyturn:introspect"])
    told = (request.param, server.url, AUDIENCE, caller)
    with fronts.api_behind() as api, fronts.running(*told, api) as running:
        yield running


@pytest.fixture(scope="module")
def client(installation):
    return installation.client(["bookings:read", "bookings:create", "bookings:reading"])


@pytest.fixture(scope="module")
def token(server, client):
    return server.token(client, scope="bookings:read bookings:create")


@pytest.fixture(scope="module")
def signed(installation, server, token):
    """A token that the issuer could have signed, with these claims changed."""

    def sign(typ=TOKEN, **changes):
        claims = {**unverified(token), **changes}
        kept = {name: value for name, value in claims.items() if value is not None}
        return installation.services.keyring.signer.sign_as(typ, orjson.dumps(kept))

    return sign


def challenge(response):
    return response.headers.get("WWW-Authenticate", "")


def test_a_token_with_the_scope_passes(front, token, client, installation):
    passed = front.get(token, **{"X-Client-Id": "spoofed", "X-Organization-Id": "spoofed"})
    assert passed.status_code == 200, front.written()
    seen = passed.json()
    assert seen["x-client-id"] == client.client_id
    assert seen["x-organization-id"] == installation.organization_id
    assert "authorization" not in seen


def test_a_list_of_audiences_passes(front, server, client):
    both = {"resource": [AUDIENCE, server.url]}
    assert front.get(server.token(client, **both)).status_code == 200


def test_no_credential(front):
    refused = front.get()
    assert refused.status_code == 401
    assert challenge(refused).startswith("Bearer")
    assert "invalid_token" not in challenge(refused)


@pytest.mark.parametrize("scope", ["bookings:create", "bookings:reading"])
def test_a_missing_scope(front, server, client, scope):
    refused = front.get(server.token(client, scope=scope))
    assert refused.status_code == 403


FORGED = {
    "no token": lambda token, signed: "garbage",
    "another signature": lambda token, signed: token[:-8] + "AAAAAAAA",
    "another payload": lambda token, signed: ".".join(
        [token.split(".")[0], signed(scope="bookings:read").split(".")[1], token.split(".")[2]]
    ),
    "another key of the same name": lambda token, signed: jwt.encode(
        unverified(token),
        ec.generate_private_key(ec.SECP256R1()),
        "ES256",
        headers={"typ": TOKEN, "kid": jwt.get_unverified_header(token)["kid"]},
    ),
    "an unknown key": lambda token, signed: jwt.encode(
        unverified(token),
        ec.generate_private_key(ec.SECP256R1()),
        "ES256",
        headers={"typ": TOKEN, "kid": "nobody"},
    ),
    "no signature": lambda token, signed: jwt.encode(
        unverified(token), None, "none", headers={"typ": TOKEN}
    ),
    "another audience": lambda token, signed: signed(aud="https://other.example.com"),
    "our audience as a part": lambda token, signed: signed(aud=AUDIENCE + ".evil.example"),
    "no audience": lambda token, signed: signed(aud=None),
    "another issuer": lambda token, signed: signed(iss="https://evil.example"),
    "expired": lambda token, signed: signed(exp=int(time.time()) - 60),
    "without an end": lambda token, signed: signed(exp=None),
    "another kind of token": lambda token, signed: signed(typ="statuslist+jwt"),
    "bound to a key": lambda token, signed: signed(cnf={"jkt": "x" * 43}),
    "bound to a certificate": lambda token, signed: signed(cnf={"x5t#S256": "x" * 43}),
}


@pytest.mark.parametrize("how", FORGED)
def test_what_is_not_right_is_refused(front, token, signed, how):
    refused = front.get(FORGED[how](token, signed))
    assert refused.status_code == 401 or not front.kind.is_precise, refused.text
    assert refused.status_code in (401, 403)
    assert refused.status_code == 403 or "invalid_token" in challenge(refused)


def test_a_revoked_token(front, server, client):
    token = server.token(client)
    assert front.get(token).status_code == 200
    assert server.post("/oauth/revoke", data={"token": token}, auth=client).status_code == 200
    if front.kind.sees_revocation:
        eventually(lambda: front.get(token).status_code == 401, timeout=15, every=0.2)
    else:
        assert front.get(token).status_code == 200  # until its `exp`, as the page says


def test_an_ended_secret(front, installation, server):
    client = installation.client(["bookings:read"])
    token = server.token(client)
    assert front.get(token).status_code == 200
    secret = installation.rows(
        "SELECT id FROM client_secrets WHERE client_id = :id", id=client.client_id
    )[0].id
    installation.end_secret(client.client_id, secret)
    if front.kind.sees_revocation:
        eventually(lambda: front.get(token).status_code == 401, timeout=15, every=0.2)
    else:
        assert front.get(token).status_code == 200


def test_an_api_key(front, installation):
    key, bound = installation.api_key(), installation.api_key(allowed_ips=["192.0.2.0/24"])
    if not front.kind.takes_keys:
        assert front.get(key.key).status_code == 401
        return
    assert front.get(key.key).status_code == 200
    # It cannot be said here whether it may be used from here.
    assert front.get(bound.key).status_code in (401, 403)
    assert front.get(installation.api_key(["bookings:create"]).key).status_code == 403
    assert front.get(key.key[:-1] + "x").status_code == 401
    installation.revoke_key(key.id)
    eventually(lambda: front.get(key.key).status_code == 401, timeout=15, every=0.2)


def test_no_credential_is_logged(front, token, installation):
    key = installation.api_key().key
    for credential in (token, token[:-8] + "AAAAAAAA", key):
        front.get(credential)
    written = front.written()
    assert token.split(".")[1] not in written
    assert key not in written


@pytest.mark.parametrize("name", ["nginx", "express"])
def test_an_issuer_that_is_away_is_not_the_callers_fault(name, token, client):
    nobody = f"http://{HOST}:{free_port()}"
    told = (name, nobody, AUDIENCE, client)
    with fronts.api_behind() as api, fronts.running(*told, api) as front:
        answer = front.get(token)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    "name", [name for name, kind in fronts.KINDS.items() if not kind.takes_keys]
)
def test_a_key_is_known_before_it_signs(name, fresh_installation):
    """Whoever verifies by published keys refuses nobody when they are rotated."""
    fresh_installation.resource(AUDIENCE, scopes=["bookings:read"])
    client = fresh_installation.client(["bookings:read"])
    with serving(fresh_installation) as server, fronts.api_behind() as api:
        told = (name, server.url, AUDIENCE, client)
        with fronts.running(*told, api) as front:
            assert front.get(server.token(client)).status_code == 200
            kid = fresh_installation.rotate_signing_key(force=False)

            def signed_by_the_next():
                token = server.token(client)
                return token if jwt.get_unverified_header(token)["kid"] == kid else None

            assert front.get(eventually(signed_by_the_next)).status_code == 200
