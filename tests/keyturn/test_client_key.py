"""A client that proves by a key who it is: what its assertions say, and that none is used twice."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from keyturn.client import Backoff, ClientKey, TokenSource
from tests.keyturn.support import EC_KEY, ED_KEY, RSA_KEY, START, FakeIssuer, Reply

TOKEN = FakeIssuer.TOKEN


def pem(key, password=None):
    sealed = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)


@pytest.fixture
def source_of(issuer):
    made = []

    def make(key, **changes):
        backoff = Backoff(sleep=lambda _: None)
        settings = {"issuer": issuer.url, "backoff": backoff, "environ": {}} | changes
        made.append(TokenSource(client_id="desk", client_key=key, **settings))
        return made[-1]

    yield make
    for source in made:
        source.close()


def assertions(issuer):
    return [form["client_assertion"][0] for _, form in issuer.token_requests]


@pytest.mark.rfc("7523", "3")
@pytest.mark.parametrize(
    ("key", "also", "alg"),
    [
        (EC_KEY, {}, "ES256"),
        (pem(EC_KEY), {}, "ES256"),
        (pem(EC_KEY, b"word").decode(), {"password": b"word"}, "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), {}, "ES384"),
        (ED_KEY, {}, "EdDSA"),
        (RSA_KEY, {}, "RS256"),
        (RSA_KEY, {"algorithm": "PS256"}, "PS256"),
    ],
    ids=["ec", "pem", "sealed", "p384", "ed25519", "rsa", "pss"],
)
def test_what_an_assertion_says(issuer, source_of, key, also, alg):
    made = ClientKey(key, kid="k1", now=lambda: START, **also)
    assert source_of(made).token() == "token_1"
    [(authorization, form)] = issuer.token_requests
    assert authorization == ""
    assert form["client_id"] == ["desk"]
    assert form["client_assertion_type"] == [
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    ]
    [assertion] = assertions(issuer)
    header = jwt.get_unverified_header(assertion)
    assert (header["alg"], header["kid"]) == (alg, "k1")
    claims = jwt.decode(
        assertion,
        made._key.public_key(),
        [alg],
        audience=issuer.url,
        options={"verify_exp": False, "verify_iat": False},
    )
    now = int(START.timestamp())
    assert len(claims.pop("jti")) >= 22
    assert claims == {
        "iss": "desk",
        "sub": "desk",
        "aud": issuer.url,
        "iat": now,
        "exp": now + 60,
    }


def test_every_attempt_has_an_assertion_of_its_own(issuer, source_of):
    issuer.first[TOKEN] = [Reply(429), Reply(503, b"", {"Retry-After": "0"})]
    source = source_of(ClientKey(EC_KEY))
    source.token()
    source.token(scope="other")
    options = {"verify_signature": False}
    jtis = {jwt.decode(one, options=options)["jti"] for one in assertions(issuer)}
    assert len(jtis) == issuer.hits[TOKEN] == 4


@pytest.mark.parametrize(
    ("changes", "aud"),
    [
        ({}, "{}"),
        ({"assertion_audience": "https://other.example"}, "https://other.example"),
        ({"issuer": None, "token_endpoint": "{}/oauth/token"}, "{}/oauth/token"),
        ({"token_endpoint": "{}/oauth/token"}, "{}"),
    ],
    ids=["issuer", "named", "endpoint", "both"],
)
def test_whom_an_assertion_is_for(issuer, source_of, changes, aud):
    changes = {name: value and value.format(issuer.url) for name, value in changes.items()}
    source_of(ClientKey(EC_KEY), **changes).token()
    [assertion] = assertions(issuer)
    claims = jwt.decode(assertion, options={"verify_signature": False})
    assert claims["aud"] == aud.format(issuer.url)


@pytest.mark.parametrize(
    ("key", "also"),
    [
        (rsa.generate_private_key(65537, 1024), {}),
        (ec.generate_private_key(ec.SECP256K1()), {}),
        (x25519.X25519PrivateKey.generate(), {}),
        (EC_KEY.public_key(), {}),
        ("-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----", {}),
        (pem(EC_KEY, b"word"), {"password": b"other"}),
        (EC_KEY, {"algorithm": "HS256"}),
        (EC_KEY, {"algorithm": "ES384"}),
        (RSA_KEY, {"algorithm": "none"}),
    ],
    ids=["1024", "k1", "x25519", "public", "garbage", "password", "hmac", "other", "none"],
)
def test_keys_that_are_none(key, also):
    with pytest.raises(ValueError, match=r"private_key|algorithm"):
        ClientKey(key, **also)


def test_a_secret_beside_the_key(issuer):
    with pytest.raises(ValueError, match="instead of"):
        TokenSource(issuer.url, "desk", "kts_live_x", client_key=ClientKey(EC_KEY))


def test_the_secret_of_the_environment_does_not_stand_beside_a_key(issuer, source_of):
    environ = {"KEYTURN_CLIENT_ID": "other", "KEYTURN_CLIENT_SECRET": "kts_live_x"}
    source_of(ClientKey(ed25519.Ed25519PrivateKey.generate()), environ=environ).token()
    assert b"kts_live_x" not in repr(issuer.token_requests).encode()
    assert "PRIVATE" not in repr(ClientKey(pem(EC_KEY))) + repr(source_of(ClientKey(pem(EC_KEY))))
