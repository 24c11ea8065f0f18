"""Read a signed statement of ours that is no access token (RFC 7515 §3.1)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keyturn import wire
from keyturn.jwk import VerificationKey
from keyturn.wire import Unreadable


@dataclass(frozen=True, slots=True)
class UnverifiedStatement:
    """What a JWS says, and what it takes to find out whether to believe it."""

    kid: str
    alg: str
    claims: Mapping[str, Any]
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def is_signed_by(self, key: VerificationKey) -> bool:
        """Whether it is genuine; the algorithm is the key's, and the header must agree."""
        return self.alg == key.alg and key.verify(self.signed, self.signature)


def read_unverified(token: str, type: str) -> UnverifiedStatement:
    """Take a compact JWS of this ``typ`` apart; nothing is verified yet. Raises Unreadable.

    Exactly as our signer writes it: one text for one statement, so that a hash of the text is one
    of the statement.
    """
    try:
        protected, payload, signature = token.encode("ascii").split(b".")
    except ValueError:  # UnicodeEncodeError is one
        raise Unreadable(detail="not three parts") from None
    header = wire.json_object(_exactly(protected))
    if header.keys() != {"alg", "typ", "kid"} or header["typ"] != type:
        raise Unreadable(detail=f"not of type {type}")
    return UnverifiedStatement(
        kid=wire.text(header, "kid"),
        alg=wire.text(header, "alg"),
        claims=wire.json_object(_exactly(payload)),
        signed=protected + b"." + payload,
        signature=_exactly(signature),
    )


def _exactly(segment: bytes) -> bytes:
    """Base64url of which no other spelling is read: the last character's spare bits are zero."""
    data = wire.base64url(segment)
    if urlsafe_b64encode(data).rstrip(b"=") != segment:
        raise Unreadable(detail="not canonical base64url")
    return data
