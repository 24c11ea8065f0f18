"""Signing: an allow-list of algorithms, and tokens that strangers' libraries verify."""

import json
from base64 import urlsafe_b64decode

import jwt
import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from app.crypto.signing import ALGORITHMS, JwsSigner, generate

PAYLOAD = json.dumps({"sub": "client_1"}).encode()


@pytest.fixture(scope="module", params=ALGORITHMS)
def pair(request):
    return generate(request.param)


def test_what_there_is_to_sign_with():
    assert set(ALGORITHMS) == {"ES256", "EdDSA", "RS256"}


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "ES384", "PS256", "es256", ""])
def test_and_nothing_else(algorithm):
    with pytest.raises(ValueError, match="no such signing algorithm"):
        generate(algorithm)


@pytest.mark.rfc("7515", "3.1")
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # as a name, by RFC 9864
def test_strangers_verify_it(pair):
    signer = JwsSigner(pair.kid, pair.algorithm, pair.private_key)
    token = signer.sign(PAYLOAD)
    public = jwt.PyJWK.from_dict(pair.public_jwk)
    assert jwt.decode(token, public, algorithms=[pair.algorithm]) == {"sub": "client_1"}
    keys = KeySet.import_key_set({"keys": [pair.public_jwk]})
    found = jws.deserialize_compact(token, keys, algorithms=[pair.algorithm])
    assert found.payload == PAYLOAD


@pytest.mark.rfc("7515", "7.1")
def test_the_compact_form(pair):
    signer = JwsSigner(pair.kid, pair.algorithm, pair.private_key)
    header, payload, signature = signer.sign(PAYLOAD).split(".")
    for part in (header, payload, signature):
        assert "=" not in part
    assert json.loads(urlsafe_b64decode(header + "==")) == {
        "alg": pair.algorithm,
        "typ": "at+jwt",
        "kid": pair.kid,
    }
    assert urlsafe_b64decode(payload + "==") == PAYLOAD


@pytest.mark.rfc("8725", "3.2")
def test_no_signature_hangs_on_a_random_number(pair):
    """Of the same bytes it is the same one: by RFC 6979 where others draw a number each time."""
    signer = JwsSigner(pair.kid, pair.algorithm, pair.private_key)
    assert signer.sign(PAYLOAD) == signer.sign(PAYLOAD)


def test_the_public_half_is_public(pair):
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(pair.public_jwk)
    assert pair.public_jwk["use"] == "sig"
    assert pair.public_jwk["alg"] == pair.algorithm
    assert pair.public_jwk["kid"] == pair.kid


def test_the_private_half_does_not_show(pair):
    assert repr(pair.private_key) not in repr(pair)


def test_a_key_of_one_kind_does_not_sign_as_another(pair):
    for algorithm in set(ALGORITHMS) - {pair.algorithm}:
        with pytest.raises(Exception):  # noqa: B017, PT011 - which one is the library's affair
            JwsSigner(pair.kid, algorithm, pair.private_key).sign(PAYLOAD)
