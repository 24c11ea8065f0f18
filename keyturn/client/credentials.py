"""How a client proves who it is: by a secret (RFC 6749 §2.3.1), or by a key (RFC 7523 §2.2)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import quote

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from keyturn.asking import basic
from keyturn.jwk import MIN_RSA_BITS

BASIC, POST = "client_secret_basic", "client_secret_post"
ASSERTION_TTL = timedelta(seconds=60)
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Proof:
    """What a token request carries of it."""

    headers: dict[str, str] = field(default_factory=dict, repr=False)
    form: dict[str, str] = field(default_factory=dict, repr=False)


class ClientCredential(Protocol):
    """Either of the two below."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be read in any message."""

    def prove(self, client_id: str, audience: str, supported: Collection[str]) -> Proof:
        """For a server that names itself so and supports these methods (none: it does not say)."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret, sent by HTTP Basic unless the server takes it in the body alone.

    >>> ClientSecret("kts_live_x")
    ClientSecret(method=None)
    >>> ClientSecret("kts_live_x").prove("desk", "", [POST]).form
    {'client_id': 'desk', 'client_secret': 'kts_live_x'}
    """

    secret: str = field(repr=False)
    method: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a method that does not send a secret."""
        if self.method not in (None, BASIC, POST):
            raise ValueError(f"auth_method: {BASIC} or {POST}")

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.secret, quote(self.secret, safe=""))

    def prove(self, client_id: str, audience: str, supported: Collection[str]) -> Proof:
        """By the method that was chosen, else by one that the server supports."""
        only_post = POST in supported and BASIC not in supported
        if (self.method or (POST if only_post else BASIC)) == POST:
            return Proof(form={"client_id": client_id, "client_secret": self.secret})
        return Proof({"authorization": basic(client_id, self.secret)})


class ClientKey:
    """A private key, which never leaves the process: each request carries a signed assertion.

    >>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    >>> ClientKey(Ed25519PrivateKey.generate(), kid="2026-11")
    ClientKey(algorithm='EdDSA', kid='2026-11')
    """

    secrets: tuple[str, ...] = ()

    def __init__(
        self,
        private_key: PrivateKey | str | bytes,
        *,
        kid: str | None = None,
        password: bytes | None = None,
        algorithm: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`private_key`: a key, or PEM, sealed by `password` or not. `kid`: as the server knows it.
        `algorithm`: PS256 for an RSA key, if not RS256. Raises ValueError.
        """
        self._key, default = _known(_loaded(private_key, password))
        if algorithm not in (None, default) and (default, algorithm) != ("RS256", "PS256"):
            raise ValueError(f"algorithm: the key is for {default}, not {algorithm}")
        self.algorithm = algorithm or default
        self.kid = kid
        self._now = now

    def __repr__(self) -> str:
        return f"ClientKey(algorithm={self.algorithm!r}, kid={self.kid!r})"

    def prove(self, client_id: str, audience: str, supported: Collection[str]) -> Proof:
        """A new assertion, good for one request to one server within a minute (RFC 7523 §3)."""
        now = self._now()
        claims: dict[str, Any] = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + ASSERTION_TTL,
        }
        headers = None if self.kid is None else {"kid": self.kid}
        assertion = jwt.encode(claims, self._key, self.algorithm, headers)
        return Proof(
            form={
                "client_id": client_id,
                "client_assertion_type": _JWT_BEARER,
                "client_assertion": assertion,
            }
        )


def _loaded(private_key: PrivateKey | str | bytes, password: bytes | None) -> object:
    if not isinstance(private_key, str | bytes):
        return private_key
    pem = private_key.encode() if isinstance(private_key, str) else private_key
    try:
        return load_pem_private_key(pem, password)
    except (ValueError, TypeError):
        # Not the cause: it may quote what it read.
        raise ValueError("private_key: not a private key in PEM, or another password") from None


def _known(key: object) -> tuple[PrivateKey, str]:
    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _EC_ALGORITHMS:
        return key, _EC_ALGORITHMS[key.curve.name]
    if isinstance(key, Ed25519PrivateKey):
        return key, "EdDSA"
    if isinstance(key, RSAPrivateKey) and key.key_size >= MIN_RSA_BITS:
        return key, "RS256"
    raise ValueError("private_key: EC (P-256, P-384, P-521), Ed25519, or RSA of 2048 bits or more")
