"""What the issuer in memory does beside giving out credentials: tokens for clients, leases of
limits, reports of usage."""

from __future__ import annotations

import base64
import itertools
import json
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote_plus

from keyturn.issuer import SCOPE
from keyturn.limits.values import RateLimits
from keyturn.scope import ScopeSet


class IssuedClient(NamedTuple):
    """A client of the issuer in memory; as a pair, what a TokenSource is made with."""

    client_id: str
    client_secret: str


class Clients:
    """Clients, and what they get at the token endpoint (RFC 6749 §4.4)."""

    def __init__(self, issue: Callable[..., str]) -> None:
        self._issue = issue
        self._numbers = itertools.count(1)
        self._known: dict[str, tuple[str, ScopeSet, dict[str, Any]]] = {}

    def make(self, scope: str, also: dict[str, Any]) -> IssuedClient:
        made = IssuedClient(f"client_{next(self._numbers)}", secrets.token_urlsafe(24))
        self._known[made.client_id] = (made.client_secret, ScopeSet.parse(scope), also)
        return made

    def token(self, authorization: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """The answer to a token request."""
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        asked = ScopeSet.parse(form.get("scope", ""))
        id, secret = _client_of(authorization, form)
        if id not in self._known and str(asked) == SCOPE:
            # Whatever the API's own client is called in its settings.
            return 200, self._issued(id, SCOPE, {})
        right, held, also = self._known.get(id, ("", ScopeSet(), {}))
        if not right or not secrets.compare_digest(secret, right):
            return 401, _error("invalid_client", "Client authentication failed")
        if form.get("grant_type") != "client_credentials":
            return 400, _error("unsupported_grant_type", "")
        if not asked.tokens <= held.tokens:
            return 400, _error("invalid_scope", "The client does not hold it")
        if "resource" in form:
            also = {**also, "audience": form["resource"]}
        return 200, self._issued(id, str(asked if asked.tokens else held), also)

    def _issued(self, id: str, scope: str, also: dict[str, Any]) -> dict[str, Any]:
        token = self._issue(scope, client_id=id, **also)
        return {"access_token": token, "token_type": "Bearer", "expires_in": 900, "scope": scope}


def _client_of(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    if not authorization.startswith("Basic "):
        return form.get("client_id", ""), form.get("client_secret", "")
    id, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
    return unquote_plus(id), unquote_plus(secret)


def _error(error: str, description: str) -> dict[str, Any]:
    return {"error": error, "error_description": description}


class Books:
    """What APIs draw and report; they hold `keyturn:introspect`, which is not looked at."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._limits: dict[str, RateLimits] = {}
        self._drawn: Counter[tuple[str, str, int, int]] = Counter()
        self._reports: set[str] = set()
        self.usage: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []

    def limit(self, id: str, limits: Collection[str]) -> list[dict[str, Any]]:
        """As introspection says them."""
        self._limits[id] = RateLimits.parse(*limits)
        return self._limits[id].kept()

    def draw(self, body: bytes) -> dict[str, Any]:
        """The answer to `POST /v1/leases`."""
        asked, now = json.loads(body), int(self._clock().timestamp())
        id, needed = asked["credential_id"], asked["needed"]
        route_class, limits = self._limits.get(id, RateLimits()).holding(asked["route_class"])
        places = [(id, route_class or "", one.seconds, now // one.seconds) for one in limits]
        room = [one.amount - self._drawn[at] for one, at in zip(limits, places, strict=True)]
        held = {one["window"]: one["permits"] for one in asked["held"]}
        lacks = any(
            left + held.get(one.window, 0) < needed for one, left in zip(limits, room, strict=True)
        )
        drawn = []
        for limit, at, left in zip(limits, places, room, strict=True):
            granted = 0 if lacks else min(asked["permits"], left)
            self._drawn[at] += granted
            drawn.append(
                {
                    "limit": limit.amount,
                    "window": limit.window,
                    "granted": granted,
                    "remaining": left - granted,
                    "resets_in": limit.seconds - now % limit.seconds,
                }
            )
        return {"limits": drawn}

    def report(self, body: bytes) -> dict[str, Any]:
        """The answer to `POST /v1/usage/reports`; a report that comes again counts once."""
        report = json.loads(body)
        if report["id"] not in self._reports:
            self._reports.add(report["id"])
            self.usage.extend(report.get("entries", ()))
            self.requests.extend(report.get("requests", ()))
        return {"id": report["id"], "ignored": 0}
