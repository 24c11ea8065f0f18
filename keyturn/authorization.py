"""The Authorization header: one bearer credential, or none that can be read (RFC 6750 §2.1)."""

from __future__ import annotations

import re

from keyturn import wire
from keyturn.errors import (
    CredentialMalformed,
    CredentialMissing,
    CredentialRefused,
    InvalidToken,
    Reason,
)
from keyturn.verify import MAX_TOKEN_LENGTH, is_token_shaped

MAX_OPAQUE_KEY = 512
"""Characters of a key without a template that are looked at."""
_MAX_HEADER = MAX_TOKEN_LENGTH + 64
# One scheme, spaces, one token68 and nothing else (RFC 6750 §2.1). The scheme in any case (RFC 9110
# §11.1). No control character, comma or second token fits.
_BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)")
_OTHER_SCHEME = re.compile(r"(?!(?i:bearer) )[A-Za-z0-9!#$%&'*+.^_`|~-]+ +\S.*")


def read_credential(authorization: str | None) -> str:
    """The credential in an Authorization header. Raises CredentialRefused.

    >>> read_credential("Bearer kt_live_x")
    'kt_live_x'
    """
    if not authorization:
        raise CredentialMissing
    if len(authorization) > _MAX_HEADER:
        raise InvalidToken(Reason.TOO_LARGE, detail=f"{len(authorization)} characters")
    found = _BEARER.fullmatch(authorization)
    if found is None:
        other = _OTHER_SCHEME.fullmatch(authorization) is not None
        raise CredentialMalformed(other_scheme=other)
    return found[1]


def unverified_issuer(authorization: str | None) -> str:
    """What a token says of its issuer; "" where there is none to read. Nothing of it is checked: it
    is for choosing the verifier that does, where an API takes tokens of several issuers.

    >>> token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSJ9.AA"
    >>> unverified_issuer(f"Bearer {token}"), unverified_issuer("Bearer kt_live_x")
    ('https://a.example', '')
    """
    try:
        credential = read_credential(authorization)
        if not is_token_shaped(credential):
            return ""
        iss = wire.json_object(wire.base64url(credential.split(".")[1].encode())).get("iss")
    except (CredentialRefused, wire.Unreadable):
        return ""
    return iss if isinstance(iss, str) else ""


def can_be_sent(credential: str) -> bool:
    """Whether an Authorization header takes it as it stands.

    >>> can_be_sent("abcdef1234567890"), can_be_sent("two words")
    (True, False)
    """
    try:
        return read_credential(f"Bearer {credential}") == credential
    except CredentialRefused:
        return False
