"""TokenVerifier: token string in, claims or an error out (RFC 7519 §7.2, RFC 9068 §4).

Free of HTTP: keys come from a KeySource.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from keyturn.claims import AccessTokenClaims, AnyAudience, accepted_audiences
from keyturn.errors import InvalidToken, Reason
from keyturn.jwk import DEFAULT_ALGORITHMS, VerificationKey
from keyturn.jwks import KeySource
from keyturn.jws import SignatureCheck

MAX_TOKEN_LENGTH = 16 * 1024
"""Characters of a token that are looked at; a longer one is refused unread."""
DEFAULT_LEEWAY = timedelta(seconds=10)
MAX_LEEWAY = timedelta(minutes=5)

_TYPES = frozenset({"at+jwt", "application/at+jwt"})  # RFC 9068 §4


def is_token_shaped(credential: str) -> bool:
    """Whether it can be a JWS at all: that has two dots, and whatever else has is no key.

    >>> is_token_shaped("eyJhbGciOiJFUzI1NiJ9.e30.c2ln"), is_token_shaped("kt_live_x")
    (True, False)
    """
    return credential.count(".") == 2


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def seconds_of(clock: Callable[[], datetime]) -> Callable[[], float]:
    """The same clock in seconds since 1970; the usual one without a datetime in between."""
    return time.time if clock is utc_now else lambda: clock().timestamp()


class TokenVerifier:
    """Verifies access tokens of one issuer, offline.

    >>> from keyturn import FixedKeys
    >>> verifier = TokenVerifier(
    ...     issuer="https://auth.example.com",
    ...     audience="https://api.example.com",
    ...     keys=FixedKeys([]),
    ... )
    >>> verifier.verify("eyJhbGciOiJub25lIn0.e30.")
    Traceback (most recent call last):
    keyturn.errors.InvalidToken: The credential is not valid
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Collection[str] | AnyAudience,
        keys: KeySource,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        leeway: timedelta = DEFAULT_LEEWAY,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`audience`: one or all names of this API. Raises ValueError for bad settings."""
        if not issuer:
            raise ValueError("issuer: required")
        if not timedelta(0) <= leeway <= MAX_LEEWAY:
            raise ValueError(f"leeway: from 0 to {MAX_LEEWAY}")
        self.issuer = issuer
        self.audiences = accepted_audiences(audience)
        self._check = SignatureCheck(keys, algorithms, _TYPES)
        self._leeway = leeway.total_seconds()
        self._now = seconds_of(clock)

    def verify(self, token: str) -> AccessTokenClaims:
        """The claims of a token that is genuine, of this issuer, for this audience and in its time.

        Raises InvalidToken, or VerifierUnavailable when the keys cannot be had. Not checked here: a
        `cnf` claim, for whoever accepts bound tokens must see the proof of possession; and a
        `status` claim, which says where to find out whether the token has been revoked.
        """
        return self.verify_by(token)[0]

    def verify_by(self, token: str) -> tuple[AccessTokenClaims, VerificationKey]:
        """The same, and the key that has signed it."""
        # Length before any work, and the payload is not parsed before its signature is checked.
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidToken(Reason.TOO_LARGE, detail=f"{len(token)} characters")
        payload, key = self._check.payload(token)
        claims = AccessTokenClaims.read(payload)
        claims.check_at(self._now(), self.issuer, self.audiences, self._leeway)
        return claims, key
