"""TokenSource: the access token of a client, asked for once and renewed in time (RFC 6749 §4.4)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from keyturn.asking import require_safe_url
from keyturn.chance import chance
from keyturn.client.backoff import Answered, Backoff
from keyturn.client.credentials import ClientKey, ClientSecret
from keyturn.client.errors import COOLDOWN, TokenError, TokenUnavailable
from keyturn.client.exchange import Exchange, Issued, Server, Wanted
from keyturn.fetch import DEFAULT_TIMEOUT, Fetch

if TYPE_CHECKING:
    import httpx

CLIENT_ID, CLIENT_SECRET = "KEYTURN_CLIENT_ID", "KEYTURN_CLIENT_SECRET"
ASSUMED_TTL = timedelta(minutes=5)
"""How long a token is used whose server does not say how long it lives."""
MAX_KEPT = 256
_NEVER = float("-inf")

Outcome = Issued | TokenError


@dataclass(slots=True)
class _Kept:
    """What is known for one scope and resource; it survives a fork."""

    issued: Issued | None = None
    error: TokenError | None = None
    silent_until: float = _NEVER
    dropped_at: float = _NEVER


class _Process:
    """What does not survive a fork: the lock, the connections, and requests under way."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.lock = threading.Lock()
        self.flights: dict[Wanted, Future[Outcome]] = {}


class TokenSource:
    """Access tokens of one client at one authorization server, Keyturn or any other.

    >>> source = TokenSource("https://auth.example.com", "desk", "kts_live_x", scope="rooms:read")
    >>> source
    TokenSource('https://auth.example.com', client_id='desk')

    `source.token()` and `await source.token_async()` give a token that is good for a while: out of
    memory, but for the first time; renewed in the background before it ends. However many threads
    and tasks want one, one of them asks. `keyturn.client.httpx.TokenAuth` and
    `keyturn.client.requests.TokenAuth` put it into requests.

    Make one and keep it: sources share nothing. It may be used after a fork, unless it was given an
    `http_client`, whose connections both sides would use.
    """

    def __init__(
        self,
        issuer: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        *,
        client_key: ClientKey | None = None,
        scope: str = "",
        resource: str | Collection[str] = (),
        audience: str = "",
        token_endpoint: str | None = None,
        auth_method: str | None = None,
        assertion_audience: str = "",
        assumed_ttl: timedelta = ASSUMED_TTL,
        backoff: Backoff | None = None,
        timeout: timedelta = DEFAULT_TIMEOUT,
        http_client: httpx.Client | None = None,
        environ: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = chance,
    ) -> None:
        """Nothing is asked before the first token is wanted. Raises ValueError.

        issuer: its metadata says where tokens are (RFC 8414, or OpenID Connect Discovery), unless
            `token_endpoint` does; one of the two is needed.
        client_id, client_secret: if not given, KEYTURN_CLIENT_ID and KEYTURN_CLIENT_SECRET.
        client_key: instead of a secret.
        scope, resource: what tokens are for, unless `token` is told otherwise (RFC 8707).
        audience: a parameter of that name, which Auth0 and Hydra want instead of `resource`.
        auth_method: `client_secret_post`, where it cannot be read from the metadata.
        assertion_audience: what a key's assertions are for; by default the issuer, else the token
            endpoint (RFC 7523 §3).
        assumed_ttl: how long tokens are used of which the server does not say how long they live.
        backoff: how often it is asked again that says 429, or 503 with Retry-After; by default two
            times, and waiting for ten seconds at most.
        timeout, http_client: as with `keyturn.Verifier`.
        """
        for name, url in (("issuer", issuer), ("token_endpoint", token_endpoint)):
            if url is not None:
                require_safe_url(url, name)
        if issuer is None and token_endpoint is None:
            raise ValueError("issuer or token_endpoint: required")
        if client_key is not None and (client_secret or auth_method):
            raise ValueError("client_key: instead of client_secret and auth_method")
        client_id = client_id or environ.get(CLIENT_ID)
        secret = client_secret or environ.get(CLIENT_SECRET)
        if not client_id or not (client_key or secret):
            raise ValueError(f"client_id and a secret or key: give them, or set {CLIENT_ID} …")
        self._server = Server(
            client_id=client_id,
            credential=client_key or ClientSecret(secret or "", auth_method),
            issuer=issuer or "",
            endpoint=token_endpoint or "",
            assertion_audience=assertion_audience,
            audience=audience,
            assumed_ttl=assumed_ttl,
        )
        self._default = Wanted.of(scope, resource)
        self._timeout, self._http_client = timeout, http_client
        self._backoff = backoff or Backoff(attempts=3, longest=timedelta(seconds=10))
        self._monotonic, self._chance = monotonic, chance
        self._kept: dict[Wanted, _Kept] = {}
        self._processes: dict[int, _Process] = {}

    def __repr__(self) -> str:
        where = self._server.issuer or self._server.endpoint
        return f"TokenSource({where!r}, client_id={self._server.client_id!r})"

    def token(
        self, *, scope: str | None = None, resource: str | Collection[str] | None = None
    ) -> str:
        """A token that is good now. Raises TokenError."""
        wanted = self._wanted(scope, resource)
        issued = self._usable(wanted)
        if issued is None:
            flight, is_mine = self._join(wanted)
            if is_mine:
                self._fly(wanted, flight)
            issued = self._landed(flight.result())
        return issued.token

    async def token_async(
        self, *, scope: str | None = None, resource: str | Collection[str] | None = None
    ) -> str:
        """The same for asyncio; a request, where one is needed, is made in a thread."""
        import asyncio

        wanted = self._wanted(scope, resource)
        issued = self._usable(wanted)
        if issued is None:
            flight, is_mine = self._join(wanted)
            if is_mine:
                self._fly_aside(wanted, flight)
            issued = self._landed(await asyncio.wrap_future(flight))
        return issued.token

    def drop(
        self,
        token: str,
        *,
        scope: str | None = None,
        resource: str | Collection[str] | None = None,
    ) -> bool:
        """An API has refused this token, with 401: whether `token` now gives another one.

        It is forgotten only if it is the one that is kept: a late answer does not hit a new token.
        An API that refuses every token costs one more token in five seconds, not one a request.
        """
        wanted = self._wanted(scope, resource)
        with self._process().lock:
            kept = self._kept.get(wanted, _Kept())
            if kept.issued is not None and kept.issued.token == token:
                now = self._monotonic()
                if now < kept.dropped_at + COOLDOWN:
                    return False
                kept.issued, kept.dropped_at = None, now
            return True

    def close(self) -> None:
        """Close the connections to the server; they are opened again when needed."""
        self._process().exchange.close()

    def _wanted(self, scope: str | None, resource: str | Collection[str] | None) -> Wanted:
        if scope is None and resource is None:
            return self._default
        return Wanted.of(
            self._default.scope if scope is None else scope,
            self._default.resource if resource is None else resource,
        )

    def _process(self) -> _Process:
        found = self._processes.get(os.getpid())
        if found is None:
            fetch = Fetch(self._timeout, self._http_client)
            exchange = Exchange(self._server, fetch, self._backoff, self._monotonic, self._chance)
            # Atomic: of two threads, both go on with the one that came first.
            found = self._processes.setdefault(os.getpid(), _Process(exchange))
        return found

    def _usable(self, wanted: Wanted) -> Issued | None:
        """The token that is kept, if it is good; one that is due is renewed while it still is."""
        kept = self._kept.get(wanted)
        issued = None if kept is None else kept.issued
        now = self._monotonic()
        if kept is None or issued is None or now >= issued.usable_until:
            return None
        if now >= issued.renew_at and now >= kept.silent_until:
            flight, is_mine = self._join(wanted)
            if is_mine:
                self._fly_aside(wanted, flight)
        return issued

    def _join(self, wanted: Wanted) -> tuple[Future[Outcome], bool]:
        """The request under way, or its outcome, if there is one; else one that is ours to make."""
        here = self._process()
        with here.lock:
            under_way = here.flights.get(wanted)
            if under_way is not None:
                return under_way, False
            flight: Future[Outcome] = Future()
            flight.set_running_or_notify_cancel()  # who waits may give up; the request goes on
            kept, now = self._kept.get(wanted, _Kept()), self._monotonic()
            if kept.issued is not None and now < kept.issued.renew_at:
                flight.set_result(kept.issued)
            elif kept.error is not None and now < kept.silent_until:
                flight.set_result(kept.error.again(kept.silent_until - now))
            else:
                here.flights[wanted] = flight
                return flight, True
            return flight, False

    def _fly(self, wanted: Wanted, flight: Future[Outcome]) -> None:
        here = self._process()
        outcome: Outcome = TokenUnavailable(detail="interrupted", retry_after=0)
        try:
            outcome = here.exchange.ask(wanted)
        except TokenError as error:
            outcome = error
        finally:
            with here.lock:
                self._keep(wanted, outcome)
                del here.flights[wanted]
            flight.set_result(outcome)

    def _fly_aside(self, wanted: Wanted, flight: Future[Outcome]) -> None:
        thread = threading.Thread(target=self._fly, args=(wanted, flight), daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads, as when the interpreter ends
            self._fly(wanted, flight)

    def _keep(self, wanted: Wanted, outcome: Outcome) -> None:
        kept = self._kept.setdefault(wanted, _Kept())
        if isinstance(outcome, Issued):
            kept.issued, kept.error, kept.silent_until = outcome, None, _NEVER
        else:
            # What is kept goes on: it may be good for longer than the trouble lasts.
            kept.error, kept.silent_until = outcome, self._monotonic() + outcome.retry_after
        if len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]

    def _landed(self, outcome: Outcome) -> Issued:
        if isinstance(outcome, TokenError):
            raise outcome.again(outcome.retry_after) from None
        return outcome


def was_shown(answer: Answered, request_headers: Mapping[str, str], token: str) -> bool:
    """Whether this token was refused, and not another host's, behind a redirect."""
    return answer.status_code == 401 and request_headers.get("Authorization") == f"Bearer {token}"
