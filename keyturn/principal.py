"""Principal: who is asking, and what they may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from keyturn.errors import InsufficientScope
from keyturn.limits.values import UNLIMITED, RateLimits
from keyturn.scope import ScopeSet


@dataclass(frozen=True, slots=True)
class Principal:
    """The bearer of a valid credential; the credential itself is not in it.

    `kind` says whose the credential is: a token that was obtained with an API key is the key's.
    `id` is what it stands for: the token's subject, or the id of the key (never its text). `claims`
    is everything the token or the introspection said. A service credential acts for `organization`;
    its own one is `acts_from`, which is None for everybody else.

    >>> principal = Principal("client", "c1", "c1", scopes=ScopeSet.parse("bookings:read"))
    >>> principal.has("bookings:read")
    True
    >>> principal.require("bookings:read", "bookings:write")
    Traceback (most recent call last):
    keyturn.errors.InsufficientScope: The credential does not have the required scope
    """

    kind: Literal["client", "api_key"]
    id: str
    client_id: str
    organization: str | None = None
    environment: str | None = None
    scopes: ScopeSet = ScopeSet()  # noqa: RUF009 - immutable
    expires_at: datetime | None = None
    audience: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    rate_limits: RateLimits = field(default=UNLIMITED, repr=False, compare=False)
    """Those that the issuer named when it was asked; nothing of a token verified offline."""
    acts_from: str | None = None

    def has(self, scope: str) -> bool:
        """Whether this scope was granted; compared as a string, nothing is implied here."""
        return scope in self.scopes.tokens

    def require(self, *scopes: str) -> None:
        """Raises InsufficientScope, which names all of them, unless all were granted."""
        if not self.scopes.tokens.issuperset(scopes):
            needed = " ".join(sorted(scopes))
            raise InsufficientScope(needed, detail=f"{self.id!a} has {str(self.scopes)!a}")
