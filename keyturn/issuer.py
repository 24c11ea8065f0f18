"""What a resource server asks of the issuer's management API, in the name of its own client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from keyturn import wire
from keyturn.asking import FetchFailed, told_to_wait
from keyturn.client.errors import TokenError
from keyturn.client.source import TokenSource
from keyturn.errors import VerifierUnavailable
from keyturn.fetch import Fetch
from keyturn.talks import Request, Talk, Token

if TYPE_CHECKING:
    import httpx

    from keyturn.async_fetch import AsyncFetch

SCOPE = "keyturn:introspect"


class IssuerApi:
    """JSON in, JSON out, with a token that is renewed when it is refused. Thread-safe.

    `before_close` holds what is to be done while the issuer can still be asked.
    """

    def __init__(
        self,
        fetch: Fetch,
        issuer: str,
        client_id: str,
        client_secret: str,
        timeout: timedelta,
        http_client: httpx.Client | None,
        monotonic: Callable[[], float],
        async_fetch: AsyncFetch | None = None,
    ) -> None:
        self._base = issuer.rstrip("/")
        self.fetch = fetch
        self.async_fetch = async_fetch
        """Who asks for an AsyncVerifier, where a request waits for it."""
        self.before_close: list[Callable[[], None]] = []
        self._tokens = TokenSource(
            issuer,
            client_id,
            client_secret,
            scope=SCOPE,
            timeout=timeout,
            http_client=http_client,
            environ={},
            monotonic=monotonic,
        )

    def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body, of an answer that is about what was asked: no 401, 403, 429 or 5xx.

        Raises VerifierUnavailable where there is none.
        """
        return self.fetch.hold(self.posting(path, body))

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """The same for what is only read."""
        return self.fetch.hold(self._asking("GET", path, {}))

    def posting(self, path: str, body: Mapping[str, Any]) -> Talk[tuple[int, dict[str, Any]]]:
        """The same as `post`, as a talk."""
        return self._asking("POST", path, {"json": body})

    def _asking(
        self, method: str, path: str, body: Mapping[str, Any]
    ) -> Talk[tuple[int, dict[str, Any]]]:
        try:
            for attempt in range(2):
                token = yield Token(self._tokens)
                headers = {"authorization": f"Bearer {token}"}
                answer = yield Request(method, self._base + path, headers, body)
                if answer.status != 401 or attempt or not self._tokens.drop(token):
                    break
            if answer.status in (401, 403, 429) or answer.status >= 500:
                detail = f"{path}: status {answer.status}"
                raise VerifierUnavailable(detail=detail, retry_after=told_to_wait(answer))
            return answer.status, wire.json_object(answer.body) if answer.body else {}
        except TokenError as error:
            raise VerifierUnavailable(
                detail=f"{path}: {error.detail}", retry_after=ceil(error.retry_after)
            ) from None
        except (FetchFailed, wire.Unreadable) as error:
            raise VerifierUnavailable(detail=f"{path}: {error.detail}") from None

    def close(self) -> None:
        """Do what is to be done before, and close the connections over which tokens were had."""
        while self.before_close:
            self.before_close.pop()()
        self._tokens.close()
