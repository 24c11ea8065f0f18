"""One token request: what is asked, and what the answer is worth (RFC 6749 §4.4, §5)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from keyturn import wire
from keyturn.asking import FetchFailed, retry_after
from keyturn.chance import chance
from keyturn.client.backoff import Backoff
from keyturn.client.credentials import ClientCredential
from keyturn.client.errors import COOLDOWN, TokenError, TokenRefused, TokenUnavailable
from keyturn.discovery import Discovery
from keyturn.fetch import Fetch
from keyturn.masking import Masker
from keyturn.scope import ScopeSet
from keyturn.talks import Answer

MAX_TOKEN = 16 * 1024
MAX_DESCRIPTION = 200
MAX_RETRY_AFTER = 3600.0
"""Seconds: nobody is believed who would have us wait for longer."""
_EARLIEST = 300.0
"""Seconds before its end that a token is renewed at the earliest, however long it lives."""
_SENDABLE = re.compile(r"[\x21-\x7e]+")
_ERROR = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token is for; equal, however it was written."""

    scope: str = ""
    resource: tuple[str, ...] = ()

    @classmethod
    def of(cls, scope: str, resource: str | Collection[str]) -> Wanted:
        """Raises InvalidScope.

        >>> Wanted.of("b a", "https://api.example") == Wanted.of("a b", ["https://api.example"])
        True
        """
        named = {resource} if isinstance(resource, str) else set(resource)
        return cls(str(ScopeSet.parse(scope)), tuple(sorted(named)))


@dataclass(frozen=True, slots=True)
class Issued:
    """A token, and how long it is worth something by the stop watch."""

    token: str = field(repr=False)
    renew_at: float
    usable_until: float


@dataclass(frozen=True, slots=True)
class Server:
    """Where to ask and as whom; `issuer` or `endpoint` may be empty, but not both."""

    client_id: str
    credential: ClientCredential = field(repr=False)
    issuer: str
    endpoint: str
    assertion_audience: str
    audience: str
    assumed_ttl: timedelta


class Exchange:
    """Asks one server for tokens, in the name of one client."""

    def __init__(
        self,
        server: Server,
        fetch: Fetch,
        backoff: Backoff,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = chance,
    ) -> None:
        self._server = server
        self._fetch = fetch
        self._backoff = backoff
        self._monotonic = monotonic
        self._chance = chance
        self._discovery = Discovery(server.issuer, monotonic=monotonic)
        self._masker = Masker(secrets=server.credential.secrets)

    def ask(self, wanted: Wanted) -> Issued:
        """A new token. Raises TokenError."""
        try:
            answer, asked_at = self._sent(wanted)
            if answer.status != 200:
                raise self._failure(answer)
            return self._read(wire.json_object(answer.body), asked_at)
        except (FetchFailed, wire.Unreadable) as error:
            raise TokenUnavailable(detail=error.detail) from None

    def close(self) -> None:
        """Close the connections."""
        self._fetch.close()

    def _sent(self, wanted: Wanted) -> tuple[Answer, float]:
        server, endpoint = self._server, self._server.endpoint
        supported: tuple[str, ...] = ()
        if not endpoint:
            endpoint = self._fetch.hold(self._discovery.token_endpoint())
            supported = self._fetch.hold(self._discovery.metadata()).token_endpoint_auth_methods
        audience = server.assertion_audience or server.issuer or endpoint

        def send() -> _Sent:
            # Anew for each attempt: an assertion is good for one (RFC 7523 §3, jti).
            proof = server.credential.prove(server.client_id, audience, supported)
            at = self._monotonic()
            answer = self._fetch.post(endpoint, self._form(wanted) | proof.form, proof.headers)
            return _Sent(answer, at)

        sent = self._backoff.call(send)
        return sent.answer, sent.at

    def _form(self, wanted: Wanted) -> dict[str, Any]:
        form = {
            "grant_type": "client_credentials",
            "scope": wanted.scope,
            "resource": list(wanted.resource),
            "audience": self._server.audience,
        }
        return {name: value for name, value in form.items() if value}

    def _read(self, members: dict[str, Any], sent_at: float) -> Issued:
        token = wire.text(members, "access_token")
        if len(token) > MAX_TOKEN or not _SENDABLE.fullmatch(token):
            raise wire.Unreadable(detail="access_token cannot be sent in a header")
        # What is no bearer token must not be used as one (RFC 6749 §7.1).
        if wire.text(members, "token_type").lower() != "bearer":
            raise wire.Unreadable(detail="token_type is not Bearer")
        ttl = self._ttl(members)
        # Not all processes at the same time, and with time for more than one attempt.
        early = min(ttl / 5, _EARLIEST) * (0.5 + self._chance() / 2)
        # The last seconds are those of a request on its way, and of clocks that disagree.
        return Issued(token, sent_at + ttl - early, sent_at + ttl - min(ttl / 20, 5.0))

    def _ttl(self, members: dict[str, Any]) -> float:
        value = members.get("expires_in")
        if value is None:
            return self._server.assumed_ttl.total_seconds()
        if isinstance(value, str) and _SECONDS.fullmatch(value):  # so do several servers
            value = int(value)
        ttl = wire.instant({"expires_in": value}, "expires_in")
        if ttl == 0:
            raise wire.Unreadable(detail="expires_in: the token is over before it is used")
        return float(ttl)

    def _failure(self, answer: Answer) -> TokenError:
        if 400 <= answer.status < 500 and answer.status != 429:
            with suppress(wire.Unreadable):  # a proxy's page, say
                members = wire.json_object(answer.body)
                error = wire.text(members, "error")
                said = members.get("error_description")
                if _ERROR.fullmatch(error):
                    shown = self._shown(said) if isinstance(said, str) else ""
                    return TokenRefused.of(answer.status, self._shown(error), shown)
        told = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
        return TokenUnavailable(
            detail=f"token endpoint: status {answer.status}",
            retry_after=min(max(told or 0.0, COOLDOWN), MAX_RETRY_AFTER),
        )

    def _shown(self, text: str) -> str:
        masked = self._masker.text(text[: 4 * MAX_DESCRIPTION])
        return "".join(one if one.isprintable() else " " for one in masked)[:MAX_DESCRIPTION]


@dataclass(frozen=True, slots=True)
class _Sent:
    """An answer as Backoff reads it, and when it was asked for."""

    answer: Answer
    at: float

    @property
    def status_code(self) -> int:
        return self.answer.status

    @property
    def headers(self) -> Any:
        return self.answer.headers
