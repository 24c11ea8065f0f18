"""What a resource server asks of the issuer's management API, in the name of its own client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from keyturn import wire
from keyturn.client.errors import TokenError
from keyturn.client.source import TokenSource
from keyturn.errors import VerifierUnavailable
from keyturn.fetch import Fetch, FetchFailed, told_to_wait

if TYPE_CHECKING:
    import httpx

SCOPE = "keyturn:introspect"


class IssuerApi:
    """JSON in, JSON out, with a token that is renewed when it is refused. Thread-safe."""

    def __init__(
        self,
        fetch: Fetch,
        issuer: str,
        client_id: str,
        client_secret: str,
        timeout: timedelta,
        http_client: httpx.Client | None,
        monotonic: Callable[[], float],
    ) -> None:
        self._base = issuer.rstrip("/")
        self._fetch = fetch
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
        try:
            for attempt in range(2):
                token = self._tokens.token()
                headers = {"authorization": f"Bearer {token}"}
                answer = self._fetch.post_json(self._base + path, body, headers)
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
        """Close the connections over which tokens were asked for."""
        self._tokens.close()
