"""Scopes: the algebra both sides share (RFC 6749 §3.3).

Three values, from loose to exact: a `Grant` is what a client, key or preset holds and may end in a
wildcard; a `Catalogue` declares which scopes exist and what they imply; a `ScopeSet` is flat and
literal, and is the only one of the three that enters a token, so that a verifier that only compares
strings is right.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from keyturn.errors import InvalidScope

MAX_SCOPE_LENGTH = 4096
"""Characters in a scope string that is read; enough for 256 tokens of 15."""
MAX_SCOPE_TOKENS = 256
MAX_TOKEN_LENGTH = 128

WILDCARD = ":*"

# %x21 / %x23-5B / %x5D-7E: printable ASCII without space, quotation mark and backslash.
_SCOPE_TOKEN = re.compile(r"[!#-\[\]-~]+")
# The same without "*", which may only be the last segment.
_GRANT_TOKEN = re.compile(r"[!#-)+-\[\]-~]+(?::\*)?")


def _split(text: str) -> frozenset[str]:
    if not text:
        return frozenset()
    if len(text) > MAX_SCOPE_LENGTH:
        raise InvalidScope(f"A scope has at most {MAX_SCOPE_LENGTH} characters")
    return frozenset(text.split(" "))


def _checked(tokens: frozenset[str], form: re.Pattern[str]) -> frozenset[str]:
    if len(tokens) > MAX_SCOPE_TOKENS:
        raise InvalidScope(f"A scope has at most {MAX_SCOPE_TOKENS} tokens")
    for token in tokens:
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidScope(f"A scope token has at most {MAX_TOKEN_LENGTH} characters")
        if not form.fullmatch(token):
            raise InvalidScope(detail=f"not a scope token: {token!r}")
    return tokens


@dataclass(frozen=True, slots=True)
class ScopeSet:
    """A set of literal scope tokens: no order, no repeats, printed sorted.

    `parse` and `of` check; the algebra works on what was checked. A `*` is a character like any
    other here.

    >>> asked = ScopeSet.parse("bookings:write bookings:read")
    >>> str(asked)
    'bookings:read bookings:write'
    >>> "bookings:read" in asked
    True
    >>> str(asked.narrowed_to(ScopeSet.parse("bookings:read guests:read")))
    'bookings:read'
    """

    tokens: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, scope: str) -> ScopeSet:
        """Read a scope string; "" is the empty set, a repeated token counts once.

        Raises InvalidScope: two spaces in a row, a space at either end, a character outside the
        grammar, or more than the limits above.
        """
        return cls(_checked(_split(scope), _SCOPE_TOKEN))

    @classmethod
    def of(cls, tokens: Iterable[str]) -> ScopeSet:
        """A set of these tokens. Raises InvalidScope."""
        return cls(_checked(frozenset(tokens), _SCOPE_TOKEN))

    def narrowed_to(self, ceiling: ScopeSet) -> ScopeSet:
        """What is in both: never more than either."""
        return ScopeSet(self.tokens & ceiling.tokens)

    def without(self, other: ScopeSet) -> ScopeSet:
        """What is here and not in `other`."""
        return ScopeSet(self.tokens - other.tokens)

    def __str__(self) -> str:
        return " ".join(sorted(self.tokens))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.tokens))

    def __contains__(self, token: object) -> bool:
        return token in self.tokens

    def __len__(self) -> int:
        return len(self.tokens)

    def __or__(self, other: ScopeSet) -> ScopeSet:
        return ScopeSet(self.tokens | other.tokens)

    def __le__(self, other: ScopeSet) -> bool:
        return self.tokens <= other.tokens


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client, key or preset holds: scope tokens whose last segment may be a wildcard.

    `bookings:*` covers every scope below `bookings:`, at any depth, and not `bookings` itself. A
    `*` alone or anywhere else is refused: nobody holds "everything" by accident.

    >>> held = Grant.parse("bookings:* guests:read")
    >>> held.covers("bookings:notes:write"), held.covers("guests:write")
    (True, False)
    >>> held.contains(Grant.parse("bookings:notes:*"))
    True
    """

    tokens: frozenset[str] = frozenset()
    _prefixes: tuple[str, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        prefixes = tuple(sorted(t[:-1] for t in self.tokens if t.endswith(WILDCARD)))
        object.__setattr__(self, "_prefixes", prefixes)

    @classmethod
    def parse(cls, text: str) -> Grant:
        """Read a space separated grant; "" holds nothing. Raises InvalidScope."""
        return cls(_checked(_split(text), _GRANT_TOKEN))

    @classmethod
    def of(cls, tokens: Iterable[str]) -> Grant:
        """A grant of these tokens. Raises InvalidScope."""
        return cls(_checked(frozenset(tokens), _GRANT_TOKEN))

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the wildcards stand on, colon included: `bookings:` for `bookings:*`."""
        return self._prefixes

    def covers(self, scope: str) -> bool:
        """Whether this literal scope is held; something with a `*` in it is no literal scope."""
        if "*" in scope:
            return False
        return scope in self.tokens or any(
            len(scope) > len(prefix) and scope.startswith(prefix) for prefix in self._prefixes
        )

    def contains(self, other: Grant) -> bool:
        """Whether all that `other` covers is held here: nobody gives what they do not hold."""
        return all(
            # A wildcard lies inside another when its prefix does: "a:b:" begins with "a:".
            token[:-1].startswith(self._prefixes)
            if token.endswith(WILDCARD)
            else self.covers(token)
            for token in other.tokens
        )

    def __str__(self) -> str:
        return " ".join(sorted(self.tokens))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.tokens))

    def __len__(self) -> int:
        return len(self.tokens)

    def __or__(self, other: Grant) -> Grant:
        return Grant(self.tokens | other.tokens)


@dataclass(frozen=True, slots=True)
class Declared:
    """One scope that exists: what it means, what it implies, and whether a publishable key may hold
    it.
    """

    name: str
    description: str = ""
    implies: frozenset[str] = frozenset()
    public: bool = False


class Catalogue:
    """The scopes that exist, and what they imply; immutable, with every implication worked out
    beforehand.

    Implications are transitive and may be circular. An implied scope that is not declared is not
    granted.

    >>> catalogue = Catalogue.of(
    ...     Declared("bookings:read"),
    ...     Declared("bookings:create"),
    ...     Declared("bookings:write", implies=frozenset({"bookings:create"})),
    ... )
    >>> str(catalogue.expand(Grant.parse("bookings:write")))
    'bookings:create bookings:write'
    >>> catalogue.unknown(Grant.parse("bookings:* rooms:* bookings:burn"))
    ('bookings:burn', 'rooms:*')
    """

    __slots__ = ("_closures", "_names", "scopes")

    def __init__(self, scopes: Mapping[str, Declared]) -> None:
        """Raises InvalidScope for a name that is no literal scope token, ValueError for a misfiled
        one.
        """
        self.scopes: Mapping[str, Declared] = dict(scopes)
        for name, declared in self.scopes.items():
            if name != declared.name:
                raise ValueError(f"{declared.name!r} is filed under {name!r}")
            if len(name) > MAX_TOKEN_LENGTH or "*" in name or not _GRANT_TOKEN.fullmatch(name):
                raise InvalidScope(detail=f"not a scope token: {name!r}")
        self._names: tuple[str, ...] = tuple(sorted(self.scopes))
        self._closures: dict[str, frozenset[str]] = {n: self._closure(n) for n in self._names}

    @classmethod
    def of(cls, *declared: Declared) -> Catalogue:
        """A catalogue of these."""
        return cls({d.name: d for d in declared})

    def expand(self, grant: Grant) -> ScopeSet:
        """Every declared scope the grant covers, and all they imply: flat and literal."""
        found: set[str] = set()
        for token in grant.tokens:
            if token.endswith(WILDCARD):
                for name in self._below(token[:-1]):
                    found |= self._closures[name]
            else:
                found |= self._closures.get(token, frozenset())
        return ScopeSet(frozenset(found))

    def unknown(self, grant: Grant) -> tuple[str, ...]:
        """The tokens that cover nothing declared, sorted."""
        return tuple(
            token
            for token in grant
            if not (self._below(token[:-1]) if token.endswith(WILDCARD) else token in self.scopes)
        )

    def require_known(self, grant: Grant) -> None:
        """Raises InvalidScope, naming the tokens that cover nothing declared."""
        if unknown := self.unknown(grant):
            raise InvalidScope("Unknown scope: " + " ".join(unknown))

    def __contains__(self, name: object) -> bool:
        return name in self.scopes

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"Catalogue({len(self)} scopes)"

    def _below(self, prefix: str) -> tuple[str, ...]:
        # Sorted names that share a prefix are neighbours. "\x7f" sorts after every scope character,
        # and the prefix itself ("bookings:" as a name) is not strictly below itself.
        names = self._names
        start = bisect_left(names, prefix + "!")
        return names[start : bisect_left(names, prefix + "\x7f", start)]

    def _closure(self, name: str) -> frozenset[str]:
        reached: set[str] = set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current not in reached and current in self.scopes:
                reached.add(current)
                waiting.extend(self.scopes[current].implies)
        return frozenset(reached)
