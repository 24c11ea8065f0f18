"""A route policy: what each method and path template asks, declared in one place.

Nothing is open by being forgotten: an adapter shows every route that it serves to `check`, and
the application does not start with one that is not declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keyturn.errors import KeyturnError
from keyturn.requirements import Requirement, all_of, any_of

# Frameworks write a parameter as {id}, {path:path}, <id> or <int:id>. Its name says nothing here.
_PARAMETER = re.compile(r"\{[^{}]*\}|<[^<>]*>")
_CLASS = re.compile(r"(?:[a-z0-9][a-z0-9._-]{0,31})?")
_KEY = re.compile(r"([A-Z]+) (/.*)")


class PolicyRefused(KeyturnError):
    """A route policy that does not fit the application; the description names every route."""

    code = "policy_refused"


@dataclass(frozen=True, slots=True)
class Route:
    """What one route asks.

    `needs`: scopes, or None for a public route. `route_class`: whose limits count. `cost`: how
    much of them a request uses.
    """

    needs: Requirement | None
    route_class: str = ""
    cost: int = 1

    def __post_init__(self) -> None:
        if not _CLASS.fullmatch(self.route_class):
            raise ValueError(f"route_class: {self.route_class!r} is no name of a class")


PUBLIC = Route(None)
"""No credential is asked for, and none is looked at."""
AUTHENTICATED = Route(all_of())
"""Any valid credential will do."""


class RoutePolicy:
    """Method and path template to what is asked. Raises ValueError for what cannot be meant.

    >>> from keyturn import PUBLIC, Route, RoutePolicy, all_of
    >>> policy = RoutePolicy(
    ...     {
    ...         "GET /health": PUBLIC,
    ...         "GET /bookings/{id}": all_of("bookings:read"),
    ...         "POST /bookings": Route(all_of("bookings:create"), route_class="booking"),
    ...     }
    ... )
    >>> policy.of("HEAD", "/bookings/<int:number>").needs == all_of("bookings:read")
    True
    >>> policy.check([("GET", "/health"), ("GET", "/bookings"), ("PUT", "/bookings/{number}")])
    Traceback (most recent call last):
    keyturn.routes.PolicyRefused: not declared: GET /bookings, PUT /bookings/{number}; \
declared and not served: GET /bookings/{id}, POST /bookings
    """

    def __init__(self, routes: Mapping[str, Route | Requirement]) -> None:
        """`routes`: `"GET /bookings/{id}"` to a requirement, a `Route`, or `PUBLIC`."""
        self._routes: dict[tuple[str, str], Route] = {}
        self._written: dict[tuple[str, str], str] = {}
        for written, asked in routes.items():
            found = _KEY.fullmatch(written)
            if found is None:
                raise ValueError(f"{written!r}: not a method and a path")
            place = (found[1], nameless(found[2]))
            if place in self._routes:
                raise ValueError(f"{written!r} and {self._written[place]!r} are the same")
            self._routes[place] = Route(asked) if isinstance(asked, Requirement) else asked
            self._written[place] = written

    @classmethod
    def read(cls, document: Mapping[str, object]) -> RoutePolicy:
        """A policy as JSON has it: null is public, "" any credential, "a b" both scopes, ["a", "b"]
        either of them. Raises ValueError.

        >>> policy = RoutePolicy.read({"GET /health": None, "GET /rooms": ["a:read", "b:read"]})
        >>> str(policy.of("GET", "/rooms").needs)
        'a:read or b:read'
        """
        return cls({written: _asked(written, said) for written, said in document.items()})

    def at(self, method: str, path: str) -> tuple[str, Route] | None:
        """What a request asks, and the route as it was declared; a path without a parameter goes
        before one with. None where none is declared.

        >>> policy = RoutePolicy({"GET /rooms/{id}": all_of("a:read"), "GET /rooms/all": PUBLIC})
        >>> policy.at("GET", "/rooms/7")[0], policy.at("GET", "/rooms/all")[0]
        ('GET /rooms/{id}', 'GET /rooms/all')
        """
        wanted = ("GET", "HEAD") if method == "HEAD" else (method,)
        fitting = [
            (path_of.count("{}"), self._written[verb, path_of], route)
            for (verb, path_of), route in self._routes.items()
            if verb in wanted and _pattern(path_of).fullmatch(path)
        ]
        if not fitting:
            return None
        _, written, route = min(fitting, key=lambda one: one[:2])
        return written, route

    def of(self, method: str, path: str) -> Route | None:
        """What a route asks; None where it is not declared. HEAD is declared with GET."""
        path = nameless(path)
        found = self._routes.get((method, path))
        return self._routes.get(("GET", path)) if found is None and method == "HEAD" else found

    @property
    def scopes(self) -> frozenset[str]:
        """All that some route asks for."""
        needed = (route.needs for route in self._routes.values() if route.needs is not None)
        return frozenset().union(*(one for needs in needed for one in needs.alternatives))

    def check(self, served: Iterable[tuple[str, str]]) -> None:
        """Raises PolicyRefused unless every route served is declared, and the other way round."""
        pairs = list(served)
        missing = [
            f"{method} {path}"
            for method, path in pairs
            if self.of(method, path) is None and (method != "HEAD" or ("GET", path) not in pairs)
        ]
        there = {(method, nameless(path)) for method, path in pairs}
        unknown = [written for place, written in self._written.items() if place not in there]
        wrong = (("not declared", missing), ("declared and not served", unknown))
        if missing or unknown:
            raise PolicyRefused(
                "; ".join(f"{what}: {', '.join(sorted(which))}" for what, which in wrong if which)
            )


def _asked(written: str, said: object) -> Route | Requirement:
    if said is None:
        return PUBLIC
    parts = said if isinstance(said, list) else [said]
    alternatives = [one for one in parts if isinstance(one, str)]
    if not parts or len(alternatives) < len(parts):
        raise ValueError(f"{written!r}: null, scopes in a string, or a list of such")
    return any_of(*(all_of(*one.split()) for one in alternatives))


def _pattern(path: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in path.split("{}"))
    return re.compile("[^/]+".join(parts))


def nameless(path: str) -> str:
    """A path template without the names of its parameters.

    >>> nameless("/bookings/<int:number>") == nameless("/bookings/{id}")
    True
    """
    return _PARAMETER.sub("{}", path)
