"""Signing keys and the signers made of them: an allow-list of algorithms, chosen by us."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from binascii import b2a_base64
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068 §2.1


def _ecdsa() -> ec.ECDSA:
    """By RFC 6979, as RFC 8725 §3.2 recommends: no bad random number can give the key away. It is
    a seventh faster, too."""
    try:
        return ec.ECDSA(SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:  # an OpenSSL before 3.2, which no wheel has
        return ec.ECDSA(SHA256())


_ECDSA = _ecdsa()
_TO_URL = bytes.maketrans(b"+/", b"-_")

_ALGORITHMS: dict[str, Algorithm] = {
    "ES256": ECAlgorithm(ECAlgorithm.SHA256, ec.SECP256R1),
    "EdDSA": OKPAlgorithm(),
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
}

ALGORITHMS = tuple(_ALGORITHMS)
"""What can sign; no HMAC, no `none`."""

_THUMBPRINT_MEMBERS = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new signing key: its thumbprint as ``kid``, the public JWK and the private PKCS #8."""

    kid: str
    algorithm: str
    public_jwk: dict[str, Any]
    private_key: bytes = field(repr=False)


def generate(algorithm: str) -> KeyPair:
    """A new key pair for one of ``ALGORITHMS``."""
    private: Any
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    elif algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    elif algorithm == "RS256":
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        raise ValueError(f"no such signing algorithm: {algorithm}")
    jwk = cast("Any", _ALGORITHMS[algorithm]).to_jwk(private.public_key(), as_dict=True)
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    kid = _base64url(sha256(_compact(members)).digest())  # RFC 7638
    return KeyPair(
        kid=kid,
        algorithm=algorithm,
        public_jwk={**members, "kid": kid, "alg": algorithm, "use": "sig"},
        private_key=private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    )


class JwsSigner:
    """Makes compact JWS (RFC 7515 §3.1); the header is encoded once, not on every token."""

    def __init__(self, kid: str, algorithm: str, private_key: bytes) -> None:
        self.kid = kid
        self.algorithm = algorithm
        self._head = self._header(TOKEN_TYPE)
        self._key = cast("Any", load_der_private_key(private_key, password=None))
        self._sign = _es256 if algorithm == "ES256" else cast("Any", _ALGORITHMS[algorithm]).sign

    def sign(self, payload: bytes) -> str:
        return self._signed(self._head, payload)

    def sign_as(self, type: str, payload: bytes) -> str:
        return self._signed(self._header(type), payload)

    def _header(self, type: str) -> bytes:
        header = {"alg": self.algorithm, "typ": type, "kid": self.kid}
        return _base64url(_compact(header)).encode() + b"."

    def _signed(self, head: bytes, payload: bytes) -> str:
        message = head + b2a_base64(payload, newline=False).translate(_TO_URL, b"=")
        signature: bytes = self._sign(message, self._key)
        tail = b2a_base64(signature, newline=False).translate(_TO_URL, b"=")
        return (message + b"." + tail).decode("ascii")


def _es256(message: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """As PyJWT's ECAlgorithm does it (RFC 7518 §3.4), without making its parts on every token."""
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return (r << 256 | s).to_bytes(64, "big")


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
