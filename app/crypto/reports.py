"""Whether a report of leaked secrets is GitHub's: ECDSA over P-256 and SHA-256 of the raw body."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key


class ReportKeys:
    """GitHub's public keys, by their identifiers."""

    def __init__(self, keys: Mapping[str, ec.EllipticCurvePublicKey]) -> None:
        self._keys = keys

    @classmethod
    def read(cls, path: str) -> ReportKeys:
        """From a file with what GitHub answers at ``/meta/public_keys/secret_scanning``.

        Raises OSError, and ValueError for anything else than such an answer.
        """
        try:
            listed = json.loads(Path(path).read_bytes())["public_keys"]
            pems = {str(one["key_identifier"]): str(one["key"]).encode() for one in listed}
        except (KeyError, TypeError) as error:
            raise ValueError(f"no list of public keys: {error!r}") from None
        keys = {}
        for identifier, pem in pems.items():
            key = load_pem_public_key(pem)
            if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
                raise ValueError(f"{identifier[:80]}: no key of the curve P-256")
            keys[identifier] = key
        return cls(keys)

    def have_signed(self, identifier: str, signature: str, body: bytes) -> bool:
        """Whether this signature (DER in base64) over the body is by the named key."""
        key = self._keys.get(identifier)
        if key is None:
            return False
        try:
            key.verify(b64decode(signature, validate=True), body, ec.ECDSA(SHA256()))
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True
