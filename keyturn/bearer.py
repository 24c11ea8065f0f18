"""Verifier: an Authorization header in, a Principal or a refusal out (RFC 6750 §2.1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self, TypedDict, Unpack

from keyturn.apikey import KeyTemplate
from keyturn.fetch import DEFAULT_TIMEOUT, Fetch
from keyturn.issuer import IssuerApi
from keyturn.judge import Judge
from keyturn.jwks import KeySource
from keyturn.principal import Principal
from keyturn.restrictions import IPAddress
from keyturn.talks import NOTHING, Pending

if TYPE_CHECKING:
    import httpx


class VerifierSettings(TypedDict, total=False):
    """What can be set of a `Verifier` and an `AsyncVerifier`, by name."""

    key_templates: Collection[KeyTemplate]
    """The forms of key that are taken; empty: any opaque key, at the price of a question to the
    issuer for every guess."""
    environment: str | None
    """The one environment whose credentials are taken, for instance "live"."""
    algorithms: Collection[str]
    """Of signatures; ES256, unless said otherwise."""
    leeway: timedelta
    """How far clocks may differ."""
    max_staleness: timedelta
    """How long an answer about a key may be used; 15 seconds, and a minute at most."""
    allow_missing_origin: bool
    """Let a secret key that is bound to domains be used without an Origin header, as servers do."""
    jwks_uri: str | None
    """Where keys are, if not where the issuer's metadata says."""
    introspection_endpoint: str | None
    """Where to ask about API keys, if not where the issuer's metadata says."""
    keys: KeySource | None
    """Where verification keys come from, if not from the issuer."""
    status_interval: timedelta | None
    """How often to look whether tokens and keys have been revoked, where they name a status list;
    five seconds; None: never."""
    accept_unknown_status: bool
    """Take such a token although nobody can say whether it was revoked: its list could not be had,
    and the one that was had is over. Otherwise that is a 503."""
    timeout: timedelta
    """How long the issuer may take to answer; five seconds."""
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]


class Verifier:
    """Takes tokens (offline, by the issuer's keys) and API keys (online, remembered for seconds).

    >>> verifier = Verifier("https://auth.example.com", audience="https://api.example.com")
    >>> verifier.verify(None)
    Traceback (most recent call last):
    keyturn.errors.CredentialMissing: Authorization header is missing

    Nothing is asked of the issuer before the first token comes. Thread-safe; make one per process.
    `keyturn.AsyncVerifier` is the same for asyncio.
    """

    def __init__(
        self,
        issuer: str,
        audience: str | Collection[str],
        client_id: str | None = None,
        client_secret: str | None = None,
        *,
        http_client: httpx.Client | None = None,
        **settings: Unpack[VerifierSettings],
    ) -> None:
        """Only `issuer` and `audience` are required. Raises ValueError for settings that cannot be.

        audience: this API's names. They are unique within an organization only: whether the
            principal's `organization` may be here is for the API to say.
        client_id, client_secret: this API's own credentials at the issuer, with the scope
            `keyturn:introspect`; without them API keys are refused.
        http_client: to ask with, where a private CA or a proxy needs one. `timeout` bounds whole
            exchanges of it, too; with a transport of another make than httpx's, each wait for
            header lines by itself.
        settings: see `VerifierSettings`.
        """
        timeout = settings.get("timeout", DEFAULT_TIMEOUT)
        self._fetch = Fetch(timeout, http_client)
        judge = Judge(issuer, audience, client_id, client_secret, self._fetch, **settings)
        self.issuer, self.environment = judge.issuer, judge.environment
        self.resource = judge.resource
        """This API as its clients find it, where an audience is an address."""
        self._judge = judge.judge
        self._require_ready = judge.require_ready
        self._statuses = judge.statuses
        self.issuer_api: IssuerApi | None = None
        if client_id is not None and client_secret is not None:
            self.issuer_api = IssuerApi(
                self._fetch,
                issuer,
                client_id,
                client_secret,
                timeout,
                http_client,
                settings.get("monotonic", time.monotonic),
            )

    def verify(
        self,
        authorization: str | None,
        *,
        ip: str | IPAddress | None = None,
        origin: str | None = None,
        required_scope: str = "",
        url: str = "",
        is_secure: bool | None = None,
        organization: str | None = None,
        mode: str | None = None,
    ) -> Principal:
        """Who presents this Authorization header. Raises CredentialRefused.

        `ip` is the caller's address as far as it can be believed, `origin` the Origin header: a key
        that is bound to networks or domains is refused when they are not given. `required_scope` is
        one scope or several, separated by spaces. `url` is the path with its query: whatever has a
        credential in it is refused. `is_secure` says whether the request came by https; None: that
        is not known, and not asked. The issuer is told of an API key refused for either, so that
        its owner learns of it. `organization` and `mode` are what the headers `X-Org-Id` and
        `X-Mode` say: they count for a service credential, and change nothing for others.
        """
        try:
            return self._judge(
                NOTHING,
                authorization,
                ip,
                origin,
                required_scope,
                url,
                is_secure,
                organization,
                mode,
            )
        except Pending as pending:
            seen = (authorization, ip, origin, required_scope, url, is_secure, organization, mode)
            return self._fetch.after(pending, self._judge, *seen)

    def require_ready(self) -> None:
        """Raises VerifierUnavailable where no token can be verified now; `detail` says why.

        Called at the start, it lets an API fail that cannot do its work; left out, the API starts
        and answers 503 until the issuer is there. As its readiness it tells a load balancer either.
        Ready is who has keys to go by, be they stale, and a status list, if lists are in use. The
        issuer is asked where that is not at hand, once in five seconds at most.
        """
        try:
            self._require_ready(NOTHING)
        except Pending as pending:
            self._fetch.after(pending, self._require_ready)

    def refresh(self) -> None:
        """Look at the status lists in use now, beside all the times that come with the interval."""
        if self._statuses is not None:
            self._statuses.refresh()

    def close(self) -> None:
        """Report the usage that is not reported yet, close the connections to the issuer, and end
        the thread that looks at status lists."""
        if self.issuer_api is not None:
            self.issuer_api.close()
        if self._statuses is not None:
            self._statuses.close()
        self._fetch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
