"""What a route asks of a credential, as a value: scopes, all of some or any of some."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from keyturn.errors import InsufficientScope, InvalidScope
from keyturn.principal import Principal
from keyturn.scope import ScopeSet


@dataclass(frozen=True, slots=True)
class Requirement:
    """Sets of scopes, of which a credential must hold one whole. Made by `all_of` and `any_of`.

    >>> wanted = any_of("bookings:write", all_of("bookings:read", "bookings:create"))
    >>> print(wanted)
    bookings:write or bookings:create bookings:read
    >>> wanted.is_met_by(ScopeSet.parse("bookings:create bookings:read"))
    True
    """

    alternatives: tuple[frozenset[str], ...]
    _names: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Written once, because each use is counted by it.
        names = tuple(" ".join(sorted(one)) for one in self.alternatives)
        object.__setattr__(self, "_names", names)

    def is_met_by(self, scopes: ScopeSet) -> bool:
        """Whether these scopes are enough; compared as strings, nothing is implied here."""
        return any(one <= scopes.tokens for one in self.alternatives)

    def require_of(self, principal: Principal) -> None:
        """Raises InsufficientScope, which names the first alternative, unless one is held."""
        if not self.is_met_by(principal.scopes):
            needed = self._names[0]
            detail = f"{principal.id!a} has {str(principal.scopes)!a}, needs {self}"
            raise InsufficientScope(needed, detail=detail)

    def __str__(self) -> str:
        return " or ".join(self._names)

    def asked_of(self, scopes: ScopeSet) -> str:
        """The scopes of the alternative that they meet, or of the first one."""
        for one, name in zip(self.alternatives, self._names, strict=True):
            if one <= scopes.tokens:
                return name
        return self._names[0]


def all_of(*parts: str | Requirement) -> Requirement:
    """All of these; of nothing: any valid credential. Raises ValueError for what is no scope."""
    choices = product(*(_requirement(part).alternatives for part in parts))
    return Requirement(tuple(frozenset().union(*choice) for choice in choices))


def any_of(*parts: str | Requirement) -> Requirement:
    """One of these is enough; the first is what a refusal names. Raises ValueError for none."""
    if not parts:
        raise ValueError("any_of: nothing to choose from would refuse everybody")
    return Requirement(tuple(one for part in parts for one in _requirement(part).alternatives))


def _requirement(part: str | Requirement) -> Requirement:
    if isinstance(part, Requirement):
        return part
    try:
        scopes = ScopeSet.parse(part).tokens
    except InvalidScope as error:
        raise ValueError(f"{part!r}: {error}") from None
    # Tokens and verdicts hold the flat, literal set: a wildcard would be held by nobody.
    if len(scopes) != 1 or part.endswith("*"):
        raise ValueError(f"{part!r}: not one literal scope")
    return Requirement((scopes,))
