"""The public keys of clients that sign (RFC 7523 §2.2): read from a JWK Set, asked one by one.

Keys are registered by people, so much is optional here that is required of an issuer: a key need
have no ``kid``, and an RSA key no ``alg``. What it is for is still decided by the key and by us.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAPSSAlgorithm

from keyturn.jwk import VerificationKey, verification_key
from keyturn.masking import HIDDEN
from keyturn.wire import Unreadable

ALGORITHMS = ("ES256", "EdDSA", "RS256", "PS256")
"""Of assertions. No symmetric one: a public key, however written, is never a shared secret."""
MAX_KEYS = 20
_OF_KEYS = ("ES256", "EdDSA", "RS256")
_RSA = frozenset({"RS256", "PS256"})
_PS256 = RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256)
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One public key, and the algorithms that it may be used with."""

    kid: str | None
    algorithms: frozenset[str]
    key: VerificationKey

    def verifies(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's, by an algorithm that it is for."""
        if algorithm not in self.algorithms:
            return False
        if algorithm == "PS256":
            rsa = self.key.key
            return isinstance(rsa, RSAPublicKey) and _PS256.verify(message, rsa, signature)
        return self.key.verify(message, signature)


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """All keys of a client."""

    keys: tuple[ClientKey, ...]
    refused: str | None = None
    """Why none of a set is taken: a word for the client's owner."""

    def signer(
        self, algorithm: str, kid: str | None, message: bytes, signature: bytes
    ) -> ClientKey | None:
        """The key that made this signature. A ``kid`` narrows the search, and nothing else: a key
        without a name may have made a signature that names one."""
        for one in self.keys:
            if kid is not None and one.kid not in (None, kid):
                continue
            if one.verifies(algorithm, message, signature):
                return one
        return None


def read_client_keys(jwks: Mapping[str, Any]) -> ClientKeys:
    """The usable keys of a JWK Set; others are skipped (RFC 7517 §5). Raises Unreadable."""
    members = jwks.get("keys")
    if not isinstance(members, list) or len(members) > MAX_KEYS:
        raise Unreadable(f"Must be a JWK Set with at most {MAX_KEYS} keys")
    return ClientKeys(tuple(key for jwk in members if (key := _client_key(jwk)) is not None))


def read_published_keys(jwks: Mapping[str, Any]) -> ClientKeys:
    """The same of a set that anybody can fetch: where a private key lies in it as well, whoever has
    fetched it could sign as the client, so none of it is taken. Raises Unreadable."""
    if holds_private_key(jwks):
        return ClientKeys((), "private_key_published")
    return read_client_keys(jwks)


def holds_private_key(jwks: Mapping[str, Any]) -> bool:
    """Whether somebody is about to hand over what only the client should know, wherever in it."""
    left: list[object] = [jwks]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            if not _PRIVATE.isdisjoint(one):
                return True
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
    return False


def without_private(text: str) -> str:
    """A JWK Set as somebody has typed it, to be shown again: of private members the names alone,
    so that it is still refused, and nothing of what is no JSON: it may be a key in another form."""
    try:
        found = json.loads(text, object_pairs_hook=_masked)
        return json.dumps(found, indent=1) if isinstance(found, dict | list) else HIDDEN
    except (ValueError, RecursionError):
        return HIDDEN


def _masked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: HIDDEN if name in _PRIVATE else value for name, value in pairs}


def _client_key(jwk: object) -> ClientKey | None:
    if not isinstance(jwk, dict):
        return None
    kid, alg = jwk.get("kid"), jwk.get("alg")
    read = dict(jwk) | {"kid": "-" if kid is None else kid}
    if alg == "PS256":
        del read["alg"]
    key = verification_key(read, _OF_KEYS)
    if key is None or (alg == "PS256" and key.alg != "RS256"):
        return None
    by_kind = _RSA if key.alg == "RS256" else frozenset({key.alg})
    return ClientKey(kid, by_kind if alg is None else frozenset({alg}), key)
