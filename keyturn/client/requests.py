"""Tokens for requests (`pip install keyturn[requests]`): `session.auth = TokenAuth(source)`."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

import requests
from requests.auth import AuthBase

from keyturn.client.errors import TokenError
from keyturn.client.source import TokenSource, was_shown


class TokenAuth(AuthBase):
    """Puts the source's token into each request, and once a new one instead of a refused one.

    >>> from keyturn.client import TokenSource
    >>> source = TokenSource("https://auth.example.com", "desk", "kts_live_x")
    >>> session = requests.Session()
    >>> session.auth = TokenAuth(source, scope="rooms:read")

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

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._source.token(scope=self._scope, resource=self._resource)
        request.headers["Authorization"] = f"Bearer {token}"
        request.register_hook("response", partial(self._answered, token))  # type: ignore[no-untyped-call]
        return request

    def _answered(self, token: str, response: requests.Response, **how: Any) -> requests.Response:
        request = response.request
        refused = was_shown(response, request.headers, token)
        if not refused or not self._source.drop(token, scope=self._scope, resource=self._resource):
            return response
        body: object = request.body  # files and generators too, whatever its type says
        if not isinstance(body, str | bytes | None):
            return response
        try:
            another = self._source.token(scope=self._scope, resource=self._resource)
        except TokenError:
            return response  # the 401 is an answer, too
        _ = response.content  # so that the connection can be used again
        response.close()
        again = request.copy()
        again.headers["Authorization"] = f"Bearer {another}"
        answer: requests.Response = response.connection.send(again, **how)
        answer.history.append(response)
        answer.request = again
        return answer
