"""Access tokens of one's own, by client credentials (RFC 6749 §4.4): asked for once, then kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from keyturn import wire
from keyturn.fetch import Fetch, FetchFailed, basic

MARGIN = 0.1
"""The last part of a token's life is not used: it may be over when it arrives."""


class TokenSource:
    """One client's token of one scope; a single thread asks, the others wait for it."""

    def __init__(
        self,
        endpoint: Callable[[], str],
        client_id: str,
        client_secret: str,
        fetch: Fetch,
        *,
        scope: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._fetch = fetch
        self._headers = {"authorization": basic(client_id, client_secret)}
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token = ""
        self._until = float("-inf")

    def token(self) -> str:
        """A token that will live for a while. Raises FetchFailed."""
        with self._lock:
            asked_at = self._monotonic()
            if asked_at >= self._until:
                self._token, lifetime = self._ask()
                self._until = asked_at + lifetime * (1 - MARGIN)
            return self._token

    def drop(self, token: str) -> None:
        """It was refused: the next one is new. Another token than the one kept changes nothing."""
        with self._lock:
            if token == self._token:
                self._until = float("-inf")

    def _ask(self) -> tuple[str, int]:
        answer = self._fetch.post(self._endpoint(), self._form, self._headers)
        if answer.status != 200:
            raise FetchFailed(detail=f"token endpoint: status {answer.status}")
        try:
            members = wire.json_object(answer.body)
            return wire.text(members, "access_token"), wire.instant(members, "expires_in")
        except wire.Unreadable as error:
            raise FetchFailed(detail=f"token endpoint: {error.detail}") from None
