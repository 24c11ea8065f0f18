"""AsyncVerifier: an Authorization header in, a Principal or a refusal out, for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Self, Unpack

from keyturn.async_fetch import AsyncFetch
from keyturn.bearer import VerifierSettings
from keyturn.fetch import DEFAULT_TIMEOUT, Fetch
from keyturn.issuer import IssuerApi
from keyturn.judge import Judge
from keyturn.principal import Principal
from keyturn.restrictions import IPAddress
from keyturn.talks import NOTHING, Pending

if TYPE_CHECKING:
    import httpx


class AsyncVerifier:
    """`Verifier` for asyncio: the same rules, and nothing in it blocks the event loop.

    >>> import asyncio
    >>> from keyturn import AsyncVerifier, CredentialRefused
    >>> async def main():
    ...     async with AsyncVerifier("https://auth.example.com", "https://api.example.com") as made:
    ...         try:
    ...             await made.verify(None)
    ...         except CredentialRefused as refused:
    ...             print(refused.status, refused)
    >>> asyncio.run(main())
    401 Authorization header is missing

    What is at hand is decided at once, without giving way to other tasks. What the issuer has to be
    asked is asked once, however many tasks want to know. Two threads look at status lists and
    report usage, so that neither stops while a loop is busy or between two loops.

    It may be used by any number of event loops, one after the other or in threads beside each
    other: they share what is known, and each has its own connections and questions under way. Close
    it in each loop before that ends; the first `close` also ends the threads.
    """

    def __init__(
        self,
        issuer: str,
        audience: str | Collection[str],
        client_id: str | None = None,
        client_secret: str | None = None,
        *,
        http_client: httpx.AsyncClient | None = None,
        background_client: httpx.Client | None = None,
        **settings: Unpack[VerifierSettings],
    ) -> None:
        """As `Verifier`. Raises ValueError for settings that cannot be.

        http_client, background_client: to ask with, where a private CA or a proxy needs them; the
            one in tasks, of one loop alone; the other in threads. Both or none.
        """
        if (http_client is None) != (background_client is None):
            raise ValueError("http_client and background_client: both or none")
        timeout = settings.get("timeout", DEFAULT_TIMEOUT)
        self._fetch = AsyncFetch(timeout, http_client)
        self._background = Fetch(timeout, background_client)
        judge = Judge(issuer, audience, client_id, client_secret, self._background, **settings)
        self.issuer, self.environment = judge.issuer, judge.environment
        self.resource = judge.resource
        """This API as its clients find it, where an audience is an address."""
        self._judge = judge.judge
        self._require_ready = judge.require_ready
        self._statuses = judge.statuses
        self.issuer_api: IssuerApi | None = None
        if client_id is not None and client_secret is not None:
            self.issuer_api = IssuerApi(
                self._background,
                issuer,
                client_id,
                client_secret,
                timeout,
                background_client,
                settings.get("monotonic", time.monotonic),
                self._fetch,
            )

    async def verify(
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
        """Who presents this header, as `Verifier.verify` says it. Raises CredentialRefused."""
        seen = (authorization, ip, origin, required_scope, url, is_secure, organization, mode)
        try:
            return self._judge(NOTHING, *seen)
        except Pending as pending:
            return await self._fetch.after(pending, self._judge, *seen)

    async def require_ready(self) -> None:
        """As `Verifier.require_ready`."""
        try:
            self._require_ready(NOTHING)
        except Pending as pending:
            await self._fetch.after(pending, self._require_ready)

    async def refresh(self) -> None:
        """Look at the status lists in use now, beside all the times that come with the interval."""
        if self._statuses is not None:
            await asyncio.to_thread(self._statuses.refresh)

    async def close(self) -> None:
        """Report the usage that is not reported yet, close this loop's connections to the issuer,
        and end the threads."""
        if self.issuer_api is not None:
            await asyncio.to_thread(self.issuer_api.close)
        if self._statuses is not None:
            self._statuses.close()
        await self._fetch.close()
        self._background.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
