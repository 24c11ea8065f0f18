"""Tokens for httpx: `httpx.Client(auth=TokenAuth(source))`, or `httpx.AsyncClient`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Generator

import httpx

from keyturn.client.errors import TokenError
from keyturn.client.source import TokenSource, was_shown


class TokenAuth(httpx.Auth):
    """Puts the source's token into each request, and once a new one instead of a refused one.

    >>> from keyturn.client import TokenSource
    >>> source = TokenSource("https://auth.example.com", "desk", "kts_live_x")
    >>> client = httpx.Client(auth=TokenAuth(source, scope="rooms:read"))
    >>> client.close()

    A body that can be read only once is not sent again; then the 401 is the answer.
    """

    def __init__(
        self,
        source: TokenSource,
        *,
        scope: str | None = None,
        resource: str | Collection[str] | None = None,
    ) -> None:
        """`scope`, `resource`: if not those of the source."""
        self._source = source
        self._scope = scope
        self._resource = resource

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._source.token(scope=self._scope, resource=self._resource)
        response = yield _with(request, token)
        if self._may_again(response, token):
            try:
                token = self._source.token(scope=self._scope, resource=self._resource)
            except TokenError:
                return  # the 401 is an answer, too
            yield _with(request, token)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self._source.token_async(scope=self._scope, resource=self._resource)
        response = yield _with(request, token)
        if self._may_again(response, token):
            try:
                token = await self._source.token_async(scope=self._scope, resource=self._resource)
            except TokenError:
                return
            yield _with(request, token)

    def _may_again(self, response: httpx.Response, token: str) -> bool:
        sent = response.request
        return (
            was_shown(response, sent.headers, token)
            and self._source.drop(token, scope=self._scope, resource=self._resource)
            and isinstance(sent.stream, httpx.ByteStream)
        )


def _with(request: httpx.Request, token: str) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request
