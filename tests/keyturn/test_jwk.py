"""Which keys of a JWK Set are used (RFC 7517)."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keyturn import FixedKeys, KeyturnError, VerificationKey
from keyturn.jwk import read_jwks, verification_key
from tests.keyturn.support import EC_KEY, ED_KEY, ES256, RSA_KEY, jwk

ALL = ("ES256", "EdDSA", "RS256")


@pytest.mark.parametrize(
    ("key", "alg"), [(EC_KEY, "ES256"), (ED_KEY, "EdDSA"), (RSA_KEY, "RS256")], ids=ALL
)
def test_public_keys_of_the_three_algorithms(key, alg):
    for changes in ({}, {"alg": None}, {"use": None}, {"key_ops": ["verify"]}, {"x5c": ["junk"]}):
        found = verification_key(jwk(key, "k1", **changes), ALL)
        assert found is not None
        assert (found.kid, found.alg) == ("k1", alg)
        assert (
            found.key.public_numbers() == key.public_key().public_numbers()
            if alg != "EdDSA"
            else True
        )
    assert verification_key(jwk(key, "k1"), [name for name in ALL if name != alg]) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"kid": None}, {"kid": 7}, {"kid": ""}, {"kid": "k" * 257}, {"use": "enc"}, {"use": 7},
        {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"key_ops": []},
        {"alg": "ES384"}, {"alg": "RS256"}, {"alg": "HS256"}, {"alg": "none"}, {"alg": 7},
        {"crv": "P-384"}, {"crv": "secp256k1"}, {"crv": None}, {"crv": 7},
        {"kty": "RSA"}, {"kty": "oct"}, {"kty": None}, {"kty": ["EC"]},
        {"x": None}, {"y": 7}, {"x": "AAAA"}, {"x": "!!"}, {"d": "AAAA"}, {"k": "c2VjcmV0"},
        {"x": jwk(EC_KEY, "k1")["y"]},  # not a point of the curve
    ],
    ids=lambda changes: str(changes)[:40],
)  # fmt: skip
def test_keys_for_others_are_skipped(changes):
    assert verification_key(jwk(EC_KEY, **{"kid": "k1"} | changes), ALL) is None


@pytest.mark.parametrize(
    "junk", [None, 7, "key", [], {}, {"kid": "k1", "kty": "RSA", "n": 1, "e": []}]
)
def test_junk_is_skipped(junk):
    assert verification_key(junk, ALL) is None


def test_private_and_symmetric_keys_are_never_taken():
    private = ES256.to_jwk(EC_KEY, as_dict=True) | {"kid": "k1"}
    symmetric = {"kty": "oct", "k": "c2VjcmV0", "kid": "k2", "alg": "HS256"}
    good = jwk(EC_KEY, "k3")
    assert list(read_jwks({"keys": [private, symmetric, good]}, ALL)) == ["k3"]


def test_a_short_rsa_key_is_no_key():
    short = rsa.generate_private_key(65537, 1024)
    assert verification_key(jwk(short, "k1"), ALL) is None
    with pytest.raises(ValueError, match="not a public key"):
        VerificationKey.of("k1", short.public_key())


def test_of_two_keys_with_one_name_the_first():
    found = read_jwks({"keys": [jwk(EC_KEY, "k1"), jwk(ED_KEY, "k1")]}, ALL)
    assert found["k1"].alg == "ES256"


@pytest.mark.parametrize(
    "jwks", [{}, {"keys": {}}, {"keys": "x"}, {"keys": [{}] * 65}], ids=lambda j: str(j)[:20]
)
def test_what_is_no_key_set(jwks):
    with pytest.raises(KeyturnError):
        FixedKeys.of_jwks(jwks)


def test_fixed_keys():
    keys = FixedKeys.of_jwks({"keys": [jwk(EC_KEY, "k1"), jwk(ED_KEY, "k2")]})
    assert keys.get("k1").alg == "ES256"
    assert keys.get("k2") is None  # EdDSA was not asked for
    assert FixedKeys.of_jwks({"keys": [jwk(ED_KEY, "k2")]}, ["EdDSA"]).get("k2") is not None
    with pytest.raises(ValueError, match="algorithms"):
        FixedKeys.of_jwks({"keys": []}, ["HS256"])


@pytest.mark.parametrize(
    "key",
    [
        EC_KEY,
        RSA_KEY,
        ED_KEY,
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "a secret",
        b"a secret",
        None,
    ],
    ids=lambda key: type(key).__name__,
)
def test_only_public_key_objects_become_keys(key):
    with pytest.raises(ValueError, match="not a public key"):
        VerificationKey.of("k1", key)


def test_a_key_verifies_its_own_signatures_only():
    private = ed25519.Ed25519PrivateKey.generate()
    key = VerificationKey.of("k1", private.public_key())
    assert key.verify(b"m", private.sign(b"m"))
    assert not key.verify(b"n", private.sign(b"m"))
    assert not key.verify(b"m", b"")
