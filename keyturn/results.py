"""What was verified a moment ago: the same token again is a look into memory and no signature.

Kept by the SHA-256 of the header that shows it, so that no two credentials are ever taken for one
another, and none is readable here. Not kept: refusals, and anything beyond `exp`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from typing import Any

from keyturn.apikey import key_digest
from keyturn.claims import AccessTokenClaims
from keyturn.errors import InvalidToken, Reason
from keyturn.introspect import Introspection
from keyturn.jwk import VerificationKey
from keyturn.jwks import KeySource
from keyturn.principal import Principal
from keyturn.recent import Recent
from keyturn.restrictions import IPAddress
from keyturn.status_list import INVALID, SUSPENDED, StatusReference
from keyturn.statuses import Statuses
from keyturn.verdicts import Verdicts
from keyturn.verify import MAX_TOKEN_LENGTH
from keyturn.wire import Unreadable

MAX_RESULTS = 20_000
MAX_BYTES = 32 * 1024 * 1024
"""Of credentials' texts, times what their claims take in memory, roughly."""
_OVERHEAD = 1_500
_BYTES_A_CHARACTER = 4
_LONGEST = len("Bearer ") + MAX_TOKEN_LENGTH
AS_FOUND = 1.0
"""Seconds for which a token is what it was found to be, unless a status list has news."""

CheckPlace = Callable[[str, Introspection, str | IPAddress | None, str | None], None]


# Not frozen, which takes longer to make, and no tuple, which takes longer to take apart.
@dataclass(slots=True)
class Accepted:
    """A credential that was accepted, and all that can still go wrong with it."""

    principal: Principal
    until: float
    """Its `exp`, by the wall clock."""
    length: int
    place: StatusReference | None
    jti: str = ""
    signed_by: VerificationKey | None = None
    """Of a token; it is good for as long as the issuer publishes this key."""
    verdict: Introspection | None = None
    """Of an API key: what the issuer said."""
    digest: bytes = b""
    """Of an API key: what its verdict is remembered by."""
    standing: tuple[float, float, object] = (inf, -inf, None)
    """Of a token: from when until when, by the wall clock, and as long as this is what status lists
    say, it is known to be in order. One value, so that threads never see half of it."""


class _NoLists:
    """Where lists are not followed, there is never any news of them."""

    heard = None


class Memory:
    """Results, the lately used ones, bounded in number and in bytes. Each use of one asks whatever
    can have changed: the clock, whether status lists have news, the age of the issuer's word; and
    once a second the place in the list itself, and whether the issuer still has the key.
    """

    def __init__(
        self,
        keys: KeySource,
        verdicts: Verdicts | None,
        statuses: Statuses | None,
        check_place: CheckPlace,
        now: Callable[[], float],
    ) -> None:
        """`check_place` refuses a key where it may not be used."""
        self._key = keys.get
        self._verdicts = verdicts
        self._statuses = statuses
        self._check_place = check_place
        self._now = now
        self._results: Recent[bytes, Accepted] = Recent(MAX_RESULTS, MAX_BYTES, _weight)
        # Bound once: these few lines are what most requests come to.
        self._remembered = self._results.get
        self._lists = statuses or _NoLists

    def recall(
        self, authorization: str | None, ip: str | IPAddress | None, origin: str | None
    ) -> Principal | None:
        """Who presents what was accepted before, if it still would be; None: look again.

        Raises CredentialRefused. The very text was taken apart and found in order then.
        """
        if authorization is None or len(authorization) > _LONGEST:
            return None
        try:
            shown = sha256(authorization.encode()).digest()
        except UnicodeEncodeError:
            return None
        accepted = self._remembered(shown)
        if accepted is None:
            return None
        now = self._now()
        since, until, heard = accepted.standing
        if since <= now < until and heard is self._lists.heard:
            return accepted.principal
        if now < accepted.until:
            verdict, signed_by = accepted.verdict, accepted.signed_by
            if verdict is not None:
                if self._is_current(accepted.digest, verdict, accepted.place):
                    self._check_place(authorization[7:], verdict, ip, origin)
                    return accepted.principal
            elif signed_by is not None and self._key(signed_by.kid) is signed_by:
                self._look_up(accepted, now)
                return accepted.principal
        self._results.drop(shown)
        return None

    def _look_up(self, token: Accepted, now: float) -> None:
        """What its status list says. Raises InvalidToken and VerifierUnavailable."""
        heard, until = self._lists.heard, min(token.until, now + AS_FOUND)
        if token.place is not None and self._statuses is not None:
            status = self._statuses.status(token.place, token.jti, now)
            if status:
                raise _refusal(status, token.place)
            until = min(until, self._statuses.usable_until(token.place))
        token.standing = now, until, heard

    def _is_current(
        self, digest: bytes, verdict: Introspection, place: StatusReference | None
    ) -> bool:
        """Whether the issuer's word about a key still counts. Raises InvalidToken."""
        known = self._verdicts.known(digest) if self._verdicts is not None else None
        if known is None or known[0] is not verdict:
            return False
        if place is not None and self._statuses is not None and self._verdicts is not None:
            status = self._statuses.news(place, known[1])
            if status:
                self._verdicts.drop(digest)
                raise _refusal(status, place)
        return True

    def keep_token(
        self, token: str, principal: Principal, claims: AccessTokenClaims, key: VerificationKey
    ) -> None:
        """Remember a token that is in order but for its status. Raises InvalidToken and
        VerifierUnavailable.
        """
        place = _place(claims.status)
        accepted = Accepted(principal, claims.exp, len(token), place, claims.jti, key)
        # Last (§8.3): a token that is refused anyway makes nobody fetch a list.
        self._look_up(accepted, self._now())
        self._results.put(_shown(token), accepted)

    def keep_key(self, key: str, principal: Principal, found: Introspection) -> None:
        """Remember a key of which the issuer has just said this."""
        place = _place(found.raw.get("status"))
        until = inf if found.exp is None else found.exp
        accepted = Accepted(
            principal, until, len(key), place, verdict=found, digest=key_digest(key)
        )
        self._results.put(_shown(key), accepted)
        if place is not None and self._statuses is not None:
            self._statuses.news(place, inf)  # followed from now on


def _weight(accepted: Accepted) -> int:
    return _OVERHEAD + _BYTES_A_CHARACTER * accepted.length


def _place(status: Any) -> StatusReference | None:
    try:
        return StatusReference.read(status if isinstance(status, dict) else None)
    except Unreadable as error:
        raise InvalidToken(Reason.MALFORMED, detail=f"status: {error.detail}") from None


def _shown(credential: str) -> bytes:
    return sha256(b"Bearer " + credential.encode()).digest()


def _refusal(status: int, place: StatusReference) -> InvalidToken:
    # §7.1: 0x02 is reversible, 0x01 is not; what else a list may say is not "valid".
    reason = {INVALID: Reason.REVOKED, SUSPENDED: Reason.DISABLED}.get(status, Reason.INACTIVE)
    return InvalidToken(reason, detail=f"status {status} at {place.idx} of {place.uri}")
