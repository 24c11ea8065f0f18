"""Verification keys: public, of one algorithm each, and never a string (RFC 7517, RFC 7518 §3.1).

No symmetric algorithm exists here, so no public key, however it is written down, can be mistaken
for a shared secret.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from keyturn.wire import Unreadable

PublicKey = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey

DEFAULT_ALGORITHMS: Final = ("ES256",)
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
MAX_KEYS = 64
MAX_KID_LENGTH = 256

_ECDSA = ECDSA(SHA256())
_ALGORITHMS: Mapping[str, Algorithm] = {
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "EdDSA": OKPAlgorithm(),
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
}
# What a JWK's kty and crv say, and the one algorithm such a key is for.
_BY_TYPE = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA", ("RSA", None): "RS256"}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def supported(algorithms: Collection[str]) -> tuple[str, ...]:
    """These algorithms, if every one is implemented here. Raises ValueError."""
    chosen = tuple(algorithms)
    if isinstance(algorithms, str) or not chosen or not set(chosen) <= set(_ALGORITHMS):
        raise ValueError(f"algorithms: some of {', '.join(_ALGORITHMS)}, not {algorithms!r}")
    return chosen


def _algorithm_of(key: object) -> str | None:
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return "ES256"
    if isinstance(key, Ed25519PublicKey):
        return "EdDSA"
    if isinstance(key, RSAPublicKey) and MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return "RS256"
    return None


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key with its name and its one algorithm.

    >>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    >>> private = Ed25519PrivateKey.generate()
    >>> key = VerificationKey.of("2024-05", private.public_key())
    >>> key.alg, key.verify(b"message", private.sign(b"message"))
    ('EdDSA', True)
    """

    kid: str
    alg: str
    key: PublicKey

    def __post_init__(self) -> None:
        """Raises ValueError when the algorithm is not the one that the key is for."""
        if self.alg != _algorithm_of(self.key):
            raise ValueError(f"not a public key for {self.alg}: {type(self.key).__name__}")

    @classmethod
    def of(cls, kid: str, key: PublicKey) -> VerificationKey:
        """The algorithm follows from the key. Raises ValueError for a key of another kind.

        A private key is refused as well: a verifier has no business holding one.
        """
        return cls(kid, _algorithm_of(key) or "/".join(_ALGORITHMS), key)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature over the message is this key's."""
        try:
            if self.alg == "ES256":
                return _es256(message, self.key, signature)
            return _ALGORITHMS[self.alg].verify(message, self.key, signature)
        except (InvalidSignature, ValueError):
            return False


def _es256(message: bytes, key: Any, signature: bytes) -> bool:
    """As PyJWT's ECAlgorithm does it (RFC 7518 §3.4), without making its parts on every token."""
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(encode_dss_signature(r, s), message, _ECDSA)
    return True


def verification_key(
    jwk: object, algorithms: Collection[str] = DEFAULT_ALGORITHMS
) -> VerificationKey | None:
    """The key in one JWK, or None where it is not a public signature key of these algorithms.

    Skipped, not refused: a set may hold keys for others (RFC 7517 §5). A key without `kid`, with a
    private member, for encryption, or whose `alg` does not fit its `kty` and `crv` is for others.
    """
    if not isinstance(jwk, dict) or not _PRIVATE_MEMBERS.isdisjoint(jwk):
        return None
    kid, kty, crv = jwk.get("kid"), jwk.get("kty"), jwk.get("crv")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_LENGTH:
        return None
    if not isinstance(kty, str) or not isinstance(crv, str | None):
        return None
    alg = _BY_TYPE.get((kty, crv))
    if alg is None or alg not in algorithms or jwk.get("alg", alg) != alg:
        return None
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list):
        return None
    if "verify" not in operations:
        return None
    try:
        return VerificationKey.of(kid, _ALGORITHMS[alg].from_jwk(jwk))
    except (InvalidKeyError, ValueError, TypeError, KeyError, AttributeError):
        return None


def read_jwks(
    jwks: Mapping[str, Any], algorithms: Collection[str] = DEFAULT_ALGORITHMS
) -> dict[str, VerificationKey]:
    """The usable keys of a JWK Set by `kid`; of two with one name, the first. Raises Unreadable."""
    members = jwks.get("keys")
    if not isinstance(members, list) or len(members) > MAX_KEYS:
        raise Unreadable(detail="not a JWK Set, or a very long one")
    found: dict[str, VerificationKey] = {}
    for jwk in members:
        key = verification_key(jwk, algorithms)
        if key is not None:
            found.setdefault(key.kid, key)
    return found
