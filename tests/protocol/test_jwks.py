"""The published keys, and their life: next, current, previous, retired (RFC 7517)."""

import time

import jwt
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from tests.support.installation import installed
from tests.support.tokens import read, unverified

JWKS = "/.well-known/jwks.json"
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
GRANT = {"grant_type": "client_credentials"}


def kids(http):
    return [key["kid"] for key in http.get(JWKS).json()["keys"]]


@pytest.mark.rfc("7517", "5")
def test_the_document(server):
    response = server.get(JWKS)
    assert response.headers["Content-Type"] == "application/jwk-set+json"
    assert list(response.json()) == ["keys"]
    assert len(response.json()["keys"]) == 2  # the current one and the next


@pytest.mark.rfc("7517", "4")
def test_every_key_says_what_it_is_for(server):
    for key in server.get(JWKS).json()["keys"]:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")


@pytest.mark.rfc("7638", "3")
def test_the_kid_is_the_thumbprint(server):
    for key, found in zip(
        server.get(JWKS).json()["keys"],
        KeySet.import_key_set(server.get(JWKS).json()).keys,
        strict=True,
    ):
        assert key["kid"] == found.thumbprint()


@pytest.mark.rfc("7515", "4.1.4")
def test_a_strangers_library_verifies_by_it(server, installation):
    token = server.token(installation.client())
    keys = KeySet.import_key_set(server.get(JWKS).json())
    found = joserfc_jwt.decode(token, keys, algorithms=["ES256"])
    assert found.claims["iss"] == server.url
    client = jwt.PyJWKClient(server.url + JWKS)
    key = client.get_signing_key_from_jwt(token)
    assert jwt.decode(token, key, algorithms=["ES256"], audience=server.url)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_other_algorithms_can_be_chosen(tmp_path, algorithm):
    with installed(tmp_path / "other", KEYTURN_SIGNING_ALGORITHM=algorithm) as other:
        client = other.client()
        token = other.http.post("/oauth/token", data=GRANT, auth=client).json()["access_token"]
        jwks = other.http.get(JWKS).json()
        assert jwt.get_unverified_header(token)["alg"] == algorithm
        for key in jwks["keys"]:
            assert key["alg"] == algorithm
            assert not PRIVATE & set(key)
        key = jwt.PyJWKSet.from_dict(jwks)[jwt.get_unverified_header(token)["kid"]]
        assert jwt.decode(token, key, algorithms=[algorithm], audience=unverified(token)["aud"])
        # The server itself takes what it has signed.
        introspector = other.client(["keyturn:introspect"])
        answer = other.http.post("/oauth/introspect", data={"token": token}, auth=introspector)
        assert answer.json()["active"] is True


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES512", "RS1", "es256"])
def test_what_must_not_sign_is_no_choice(tmp_path, algorithm):
    from app.errors import StartRefused

    environ = {"KEYTURN_SIGNING_ALGORITHM": algorithm}
    with (
        pytest.raises(StartRefused, match="KEYTURN_SIGNING_ALGORITHM"),
        installed(tmp_path / "bad", **environ),
    ):
        pass


# Rotation -----------------------------------------------------------------------------------------


def test_a_key_is_published_before_it_signs(fresh_installation):
    http = fresh_installation.http
    client = fresh_installation.client()

    def signed_by():
        token = http.post("/oauth/token", data=GRANT, auth=client).json()["access_token"]
        return jwt.get_unverified_header(token)["kid"]

    first = signed_by()
    (following,) = set(kids(http)) - {first}
    assert fresh_installation.rotate_signing_key() == following
    assert signed_by() == following
    published = kids(http)
    assert len(published) == 3
    assert {first, following} < set(published)
    (after,) = set(published) - {first, following}
    assert fresh_installation.rotate_signing_key() == after


def test_a_token_outlives_the_rotation_and_not_the_retirement(fresh_installation):
    http = fresh_installation.http
    client = fresh_installation.client()
    introspector = fresh_installation.client(["keyturn:introspect"])

    def is_active(token):
        answer = http.post("/oauth/introspect", data={"token": token}, auth=introspector)
        return answer.json()["active"]

    token = http.post("/oauth/token", data=GRANT, auth=client).json()["access_token"]
    kid = jwt.get_unverified_header(token)["kid"]
    fresh_installation.rotate_signing_key()
    assert kid in kids(http)
    assert is_active(token)
    fresh_installation.retire_signing_key(kid)
    assert kid not in kids(http)
    assert not is_active(token)


def test_the_current_and_the_next_key_cannot_be_retired(fresh_installation):
    from app.errors import Conflict, NotFound

    for kid in kids(fresh_installation.http):
        with pytest.raises(Conflict):
            fresh_installation.retire_signing_key(kid)
    with pytest.raises(NotFound):
        fresh_installation.retire_signing_key("unknown")
    assert len(kids(fresh_installation.http)) == 2


def test_a_rotation_may_bring_another_algorithm(fresh_installation):
    fresh_installation.rotate_signing_key(algorithm="EdDSA")
    client = fresh_installation.client()

    def algorithm():
        response = fresh_installation.http.post("/oauth/token", data=GRANT, auth=client)
        return jwt.get_unverified_header(response.json()["access_token"])["alg"]

    # The key that signs now was made before; the one after it is of the new kind.
    assert algorithm() == "ES256"
    fresh_installation.rotate_signing_key()
    assert algorithm() == "EdDSA"


def test_the_document_is_another_one_after_a_rotation(fresh_installation):
    http = fresh_installation.http
    before = http.get(JWKS).headers["ETag"]
    fresh_installation.rotate_signing_key()
    response = http.get(JWKS, headers={"If-None-Match": before})
    assert response.status_code == 200
    assert response.headers["ETag"] != before


def test_a_served_process_follows_a_rotation(server, installation):
    client = installation.client()
    before = read(server.token(client), server).header["kid"]
    after = installation.rotate_signing_key()
    assert after != before
    deadline = time.monotonic() + 15
    while read(server.token(client), server).header["kid"] != after:
        assert time.monotonic() < deadline, "not seen"
    assert before in kids(server)


def test_nothing_private_is_ever_published(server, installation):
    installation.rotate_signing_key()
    for key in server.get(JWKS).json()["keys"]:
        assert not PRIVATE & set(key)


def test_private_keys_lie_encrypted_and_are_gone_when_retired(fresh_installation):
    client = fresh_installation.client()
    response = fresh_installation.http.post("/oauth/token", data=GRANT, auth=client)
    kid = jwt.get_unverified_header(response.json()["access_token"])["kid"]
    id_ec_public_key = bytes.fromhex("2a8648ce3d0201")  # what every PKCS #8 of such a key holds
    for (sealed,) in fresh_installation.rows("SELECT private_key FROM signing_keys"):
        assert id_ec_public_key not in sealed
    fresh_installation.rotate_signing_key()
    fresh_installation.retire_signing_key(kid)
    (left,) = fresh_installation.rows(
        "SELECT private_key FROM signing_keys WHERE kid = :kid", kid=kid
    )[0]
    assert left is None
