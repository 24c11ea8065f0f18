"""Why there is no token: the server refused, or nobody can say."""

from __future__ import annotations

import copy
from typing import Self

from keyturn.errors import KeyturnError

COOLDOWN = 5.0
"""Seconds for which a failure is not followed by another attempt, unless the server says longer."""


class TokenError(KeyturnError):
    """There is no token. The server is not asked again for `retry_after` seconds.

    No secret, assertion or token is ever in it.
    """

    code = "no_token"
    default_description = "There is no access token"

    def __init__(
        self, description: str = "", *, detail: str = "", retry_after: float = COOLDOWN
    ) -> None:
        super().__init__(description, detail=detail)
        self.retry_after = retry_after

    def again(self, retry_after: float) -> Self:
        """A copy for another caller: tracebacks are not to be shared between threads."""
        made = copy.copy(self)
        made.retry_after = retry_after
        return made


class TokenRefused(TokenError):
    """The server said no (RFC 6749 §5.2): another attempt needs another client, scope or resource.

    >>> refused = TokenRefused.of(401, "invalid_client", "Client authentication failed")
    >>> refused.error, refused.status, str(refused)
    ('invalid_client', 401, 'invalid_client: Client authentication failed')
    """

    code = "token_refused"
    default_description = "The authorization server refused the token request"
    status: int = 400
    error: str = "invalid_request"
    """The server's code, for instance `invalid_client` or `invalid_scope`."""
    error_description: str = ""
    """What it adds for people: cut, and without what looks like a secret."""

    @classmethod
    def of(cls, status: int, error: str, error_description: str = "") -> TokenRefused:
        """What the server answered."""
        said = ": ".join(filter(None, (error, error_description)))
        made = cls(said, detail=f"token endpoint: status {status}, {said}")
        made.status, made.error, made.error_description = status, error, error_description
        return made


class TokenUnavailable(TokenError):
    """No answer, or a useless one; `detail` says which. It may be better later."""

    code = "token_unavailable"
    default_description = "The authorization server does not issue tokens at the moment"
