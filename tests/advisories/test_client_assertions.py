"""Published mistakes with client assertions: each is refused, and the plain reason is nobody's."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.crypto.client_keys import read_client_keys
from tests.support.assertions import SigningKey, claims, proof

GRANT = {"grant_type": "client_credentials"}
METHOD = "private_key_jwt"


@pytest.fixture(scope="module")
def key():
    return SigningKey("RS256", kid="one")


@pytest.fixture(scope="module")
def client(installation, key):
    made = installation.client(token_endpoint_auth_method=METHOD, jwks=key.jwks)
    return made.client_id


@pytest.fixture
def status(installation):
    def ask(assertion):
        answer = installation.http.post("/oauth/token", data=GRANT | proof(assertion))
        return answer.status_code

    return ask


@pytest.fixture
def good(installation, client):
    return claims(client, installation.services.settings.issuer)


def part(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def test_the_right_one_is_taken(status, key, good):
    assert status(key.sign(good)) == 200


# CVE-2015-9235 and on.
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, " none", ["RS256"], 5])
def test_alg_none(status, good, alg):
    for header in ({"alg": alg, "kid": "one"}, {"alg": alg}):
        assert status(f"{part(header)}.{part(good)}.") == 401
    assert status(f"{part({'kid': 'one'})}.{part(good)}.") == 401


# PyJWT CVE-2022-29217, CVE-2026-48526; Authlib CVE-2024-37568: however the public key is written.
@pytest.mark.parametrize("written", ["pem", "der", "openssh", "jwk", "jwks"])
@pytest.mark.parametrize("alg", ["HS256", "HS512"])
def test_hmac_with_the_public_key(status, key, good, written, alg):
    public = key.private.public_key()
    secret = {
        "pem": lambda: public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": lambda: public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "openssh": lambda: public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "jwk": lambda: json.dumps(key.jwk).encode(),
        "jwks": lambda: json.dumps(key.jwks).encode(),
    }[written]()
    signed = f"{part({'alg': alg, 'kid': 'one'})}.{part(good)}"
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[alg]
    signature = hmac.new(secret, signed.encode(), digest).digest()
    assert status(f"{signed}.{part(signature)}") == 401


# CVE-2018-0114, Authlib CVE-2026-27962: a key that the assertion brings with it.
@pytest.mark.parametrize("named", [{}, {"kid": "one"}])
def test_keys_in_the_header_are_never_read(status, key, good, named):
    theirs = SigningKey("RS256")
    bad = {
        "jwk": theirs.jwk,
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x5u",
        "x5c": ["MIIB"],
    }
    for name, value in bad.items():
        assert status(theirs.sign(good, {**named, name: value})) == 401, name
        own = good | {"jti": f"{name} {named}"}
        assert status(key.sign(own, {**named, name: value})) == 200, name


# Authlib CVE-2025-59420, PyJWT CVE-2026-32597 and PYSEC-2026-178.
@pytest.mark.parametrize(
    "header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": True}, {"zip": "DEF"}]
)
def test_what_is_not_understood(status, key, good, header):
    signed = f"{part({'alg': 'RS256', 'kid': 'one', **header})}.{part(good)}"
    signature = jwt.get_algorithm_by_name("RS256").sign(signed.encode(), key.private)
    assert status(f"{signed}.{part(signature)}") == 401


def test_the_algorithm_is_the_keys(installation, status, good):
    """A key that is registered for PS256 signs by nothing else, and an EC key by no RSA."""
    key = SigningKey("PS256", kid="ps", alg="PS256")
    made = installation.client(token_endpoint_auth_method=METHOD, jwks=key.jwks).client_id
    own = good | {"iss": made, "sub": made}
    assert status(key.sign(own, algorithm="RS256")) == 401
    assert status(key.sign(own)) == 200


def test_another_clients_key(installation, status, good):
    other = SigningKey(kid="one")
    installation.client(token_endpoint_auth_method=METHOD, jwks=other.jwks)
    assert status(other.sign(good)) == 401


# Ory Hydra CVE-2020-5300: two tokens for one assertion.
def test_a_replay(status, key, good):
    assertion = key.sign(good)
    assert [status(assertion) for _ in range(3)] == [200, 401, 401]


def test_a_forged_signature_uses_up_no_jti(status, key, good):
    theirs = SigningKey("RS256", kid="one")
    assert status(theirs.sign(good)) == 401
    assert status(key.sign(good)) == 200


def test_members_that_are_repeated_or_not_utf8(status, key, good):
    twice = json.dumps(good)[:-1] + ', "aud": "https://evil.example"}'
    for payload in (twice.encode(), json.dumps(good).encode("utf-16"), b"[]", b'"x"', b""):
        signed = f"{part({'alg': 'RS256', 'kid': 'one'})}.{part(payload)}"
        signature = jwt.get_algorithm_by_name("RS256").sign(signed.encode(), key.private)
        assert status(f"{signed}.{part(signature)}") == 401


def test_keys_that_are_none():
    """Too short, symmetric, for encryption, private: not one of them verifies anything."""
    good = SigningKey("RS256", kid="x").jwk
    short = good | {"n": part(b"\xc5" * 127 + b"\x01")}
    for jwk in (
        short,
        {"kty": "oct", "k": part(b"x" * 32), "kid": "x"},
        good | {"use": "enc"},
        good | {"alg": "HS256"},
        good | {"alg": "none"},
        good | {"key_ops": ["encrypt"]},
        SigningKey("RS256").private_jwk,
        "x",
        None,
    ):
        assert read_client_keys({"keys": [jwk]}).keys == ()
    assert len(read_client_keys({"keys": [good]}).keys) == 1
