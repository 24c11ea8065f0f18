"""AccessTokenClaims: read and check the claims of an access token (RFC 7519 §4.1, RFC 9068 §4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from keyturn import wire
from keyturn.errors import InvalidScope, InvalidToken, Reason
from keyturn.scope import ScopeSet


class AnyAudience:
    """No audience check: for the issuer itself, which introspects tokens meant for others.

    A resource server that uses it accepts tokens that were handed to its neighbours.
    """

    def __repr__(self) -> str:
        return "UNSAFE_ANY_AUDIENCE"


UNSAFE_ANY_AUDIENCE: Final = AnyAudience()

Audiences = frozenset[str] | AnyAudience

# The same few scopes come with every token; what is remembered has passed a signature.
_scope_set = lru_cache(maxsize=512)(ScopeSet.parse)


def accepted_audiences(audience: str | Collection[str] | AnyAudience) -> Audiences:
    """The names an API goes by, as a set. Raises ValueError when there is none.

    >>> accepted_audiences("https://api.example.com")
    frozenset({'https://api.example.com'})
    """
    if isinstance(audience, AnyAudience):
        return audience
    names = frozenset({audience} if isinstance(audience, str) else audience)
    if not names or "" in names:
        raise ValueError("audience: required")
    return names


def meant_for(aud: Iterable[str], audiences: Audiences) -> bool:
    """Whether one of these audiences is one of ours (RFC 7519 §4.1.3)."""
    return isinstance(audiences, AnyAudience) or not audiences.isdisjoint(aud)


# A tuple, not a dataclass: a frozen one takes two microseconds longer to make, on every request.
class AccessTokenClaims(NamedTuple):
    """The claims of one access token; instants are NumericDates, as on the wire.

    All of RFC 9068 §2.2 is required: `iss sub aud exp iat jti client_id`. `raw` holds every claim.

    >>> claims = AccessTokenClaims.read(
    ...     b'{"iss": "https://a.example", "aud": "https://b.example", "sub": "c1", "jti": "t1",'
    ...     b' "client_id": "c1", "iat": 1700000000, "exp": 1700000900, "scope": "rooms:read"}'
    ... )
    >>> claims.aud, str(claims.scope)
    (('https://b.example',), 'rooms:read')
    >>> from datetime import UTC
    >>> now = datetime.fromtimestamp(1700000100, UTC)
    >>> claims.check("https://a.example", frozenset({"https://b.example"}), now)
    """

    iss: str
    sub: str
    aud: tuple[str, ...]
    exp: int
    iat: int
    jti: str
    client_id: str
    scope: ScopeSet
    nbf: int | None
    org: str | None
    env: str | None
    status: Mapping[str, Any] | None
    cnf: Mapping[str, Any] | None
    raw: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"AccessTokenClaims(jti={self.jti!r}, client_id={self.client_id!r}, exp={self.exp})"

    @classmethod
    def read(cls, payload: bytes) -> AccessTokenClaims:
        """Read the payload of a token. Raises InvalidToken; nothing is compared yet."""
        try:
            members = wire.json_object(payload)
            # By position: this is built for every request, and keywords cost a microsecond.
            return cls(
                wire.text(members, "iss"),
                wire.text(members, "sub"),
                _required(wire.texts(members, "aud")),
                wire.instant(members, "exp"),
                wire.instant(members, "iat"),
                wire.text(members, "jti"),
                wire.text(members, "client_id"),
                _scope(members),
                wire.optional_instant(members, "nbf"),
                wire.optional_text(members, "org"),
                wire.optional_text(members, "env"),
                wire.optional_object(members, "status"),
                wire.optional_object(members, "cnf"),
                members,
            )
        except (wire.Unreadable, InvalidScope) as error:
            raise InvalidToken(Reason.MALFORMED, detail=f"claims: {error.detail}") from None

    def check(
        self, issuer: str, audiences: Audiences, now: datetime, leeway: timedelta = timedelta(0)
    ) -> None:
        """Compare with what is expected here, by equality and never by containment of strings.

        Raises InvalidToken. `leeway` is for clocks that disagree, on both ends of the token's life.
        `iat` is not compared with the clock: not before when, is what `nbf` says.
        """
        self.check_at(now.timestamp(), issuer, audiences, leeway.total_seconds())

    def check_at(
        self, seconds: float, issuer: str, audiences: Audiences, slack: float = 0.0
    ) -> None:
        """The same by the clock's seconds since 1970."""
        if self.iss != issuer:
            raise InvalidToken(Reason.WRONG_ISSUER, detail=f"issued by {self.iss!a}")
        if not meant_for(self.aud, audiences):
            raise InvalidToken(Reason.WRONG_AUDIENCE, detail=f"meant for {self.aud!a}")
        if seconds >= self.exp + slack:  # "on or after which" (RFC 7519 §4.1.4)
            raise InvalidToken(Reason.EXPIRED, detail=f"{self.jti!a} expired at {self.exp}")
        if self.nbf is not None and seconds < self.nbf - slack:
            raise InvalidToken(Reason.NOT_YET_VALID, detail=f"{self.jti!a} from {self.nbf}")


def _scope(members: dict[str, Any]) -> ScopeSet:
    value = members.get("scope", "")
    if type(value) is not str:
        raise wire.Unreadable(detail="scope is not a string")
    return _scope_set(value)


def _required(audiences: tuple[str, ...]) -> tuple[str, ...]:
    if not audiences:
        raise wire.Unreadable(detail="aud is missing")
    return audiences
