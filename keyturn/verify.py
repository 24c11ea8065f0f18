"""TokenVerifier: token string in, claims or an error out (RFC 7519 §7.2, RFC 9068 §4).

Free of HTTP: keys come from a KeySource.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from keyturn import wire
from keyturn.claims import AccessTokenClaims, AnyAudience, accepted_audiences
from keyturn.errors import InvalidToken, Reason
from keyturn.jwk import DEFAULT_ALGORITHMS, MAX_KID_LENGTH, supported
from keyturn.jwks import KeySource

MAX_TOKEN_LENGTH = 16 * 1024
"""Characters of a token that are looked at; a longer one is refused unread."""
DEFAULT_LEEWAY = timedelta(seconds=10)
MAX_LEEWAY = timedelta(minutes=5)

_TYPES = frozenset({"at+jwt", "application/at+jwt"})
# Refused by their mere presence. crit: we implement no extension (RFC 7515 §4.1.11). b64: forbidden
# in a JWT (RFC 7797 §7). zip, enc: JWE. The others name or hold a key: ours is never chosen by the
# token.
_REFUSED = frozenset({"crit", "b64", "zip", "enc", "jwk", "jku", "x5c", "x5u"})
# Headers differ by key only. Those that a signature has confirmed need not be parsed again.
_MAX_HEADERS = 64


def is_token_shaped(credential: str) -> bool:
    """Whether it can be a JWS at all: that has two dots, and whatever else has is no key.

    >>> is_token_shaped("eyJhbGciOiJFUzI1NiJ9.e30.c2ln"), is_token_shaped("kt_live_x")
    (True, False)
    """
    return credential.count(".") == 2


@dataclass(frozen=True, slots=True)
class _Header:
    alg: str
    kid: str


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
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`audience`: one or all names of this API. Raises ValueError for bad settings."""
        if not issuer:
            raise ValueError("issuer: required")
        if not timedelta(0) <= leeway <= MAX_LEEWAY:
            raise ValueError(f"leeway: from 0 to {MAX_LEEWAY}")
        self.issuer = issuer
        self.audiences = accepted_audiences(audience)
        self._keys = keys
        self._algorithms = frozenset(supported(algorithms))
        self._leeway = leeway
        self._clock = clock
        self._headers: dict[bytes, _Header] = {}

    def verify(self, token: str) -> AccessTokenClaims:
        """The claims of a token that is genuine, of this issuer, for this audience and in its time.

        Raises InvalidToken, or VerifierUnavailable when the keys cannot be had. A `cnf` claim is
        not checked here: whoever accepts bound tokens must see the proof of possession.
        """
        # The order matters: length before any work, the form before any decoding, the header's
        # claims about itself before a key is asked for, the signature before the payload is parsed.
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidToken(Reason.TOO_LARGE, detail=f"{len(token)} characters")
        try:
            signed, _, signature = token.encode("ascii").rpartition(b".")
            protected, dot, payload = signed.partition(b".")
            if not dot or b"." in payload:  # a JWE has five parts
                raise InvalidToken(Reason.MALFORMED, detail="not three parts")
            header = self._headers.get(protected) or self._read_header(protected)
            key = self._keys.get(header.kid)
            if key is None:
                raise InvalidToken(Reason.UNKNOWN_KEY, detail=f"kid {header.kid!a}")
            # The key decides, and the header must agree: alg of the header, of the key, and ours.
            if key.alg != header.alg:
                raise InvalidToken(Reason.UNSUPPORTED_ALGORITHM, detail=f"{header.alg!a} for {key}")
            if not key.verify(signed, wire.base64url(signature)):
                raise InvalidToken(Reason.BAD_SIGNATURE, detail=f"kid {header.kid!a}")
            if protected not in self._headers and len(self._headers) < _MAX_HEADERS:
                self._headers[protected] = header
            claims = AccessTokenClaims.read(wire.base64url(payload))
        except (wire.Unreadable, UnicodeEncodeError) as error:
            detail = getattr(error, "detail", "not ASCII")
            raise InvalidToken(Reason.MALFORMED, detail=detail) from None
        claims.check(self.issuer, self.audiences, self._clock(), self._leeway)
        return claims

    def _read_header(self, protected: bytes) -> _Header:
        members = wire.json_object(wire.base64url(protected))
        if not _REFUSED.isdisjoint(members):
            names = sorted(_REFUSED & members.keys())
            raise InvalidToken(Reason.MALFORMED, detail=f"header names {', '.join(names)}")
        alg, typ, kid = (wire.text(members, name) for name in ("alg", "typ", "kid"))
        if alg not in self._algorithms:
            raise InvalidToken(Reason.UNSUPPORTED_ALGORITHM, detail=f"alg {alg!a}")
        # RFC 9068 §4: an ID token or any other JWT of this issuer is not an access token.
        if typ.lower() not in _TYPES:
            raise InvalidToken(Reason.WRONG_TYPE, detail=f"typ {typ!a}")
        if len(kid) > MAX_KID_LENGTH:
            raise InvalidToken(Reason.MALFORMED, detail="kid is very long")
        return _Header(alg, kid)
