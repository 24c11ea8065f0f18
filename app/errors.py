"""The server's branch of the error tree.

Every class has a stable ``code``; every instance a ``description`` for the caller and a
``detail`` for the log, never swapped. Errors are raised where the rule is and rendered once,
at the edge (``app.web.problems``): nothing here knows an HTTP response.
"""

from __future__ import annotations

from typing import Any

from app.records import ApiKey, Client
from keyturn.errors import InvalidToken, KeyturnError, Reason


class OAuthError(KeyturnError):
    """An error of the token, introspection and revocation endpoints (RFC 6749 §5.2)."""

    code = "invalid_request"
    default_description = "The request is malformed"


class InvalidRequest(OAuthError):
    """A parameter is missing, repeated, unreadable or in the wrong place (RFC 6749 §5.2)."""


class InvalidClient(OAuthError):
    """Client authentication failed; the one answer for every cause (RFC 6749 §5.2)."""

    code = "invalid_client"
    default_description = "Client authentication failed"

    def __init__(self, *, detail: str = "", client: Client | None = None) -> None:
        super().__init__(detail=detail)
        self.client = client
        """Whom it was about, where that client exists: for its owner's log, never the answer."""


class UnauthorizedClient(OAuthError):
    """The authenticated client may not use this grant type (RFC 6749 §5.2)."""

    code = "unauthorized_client"
    default_description = "The client may not use this grant type"


class UnsupportedGrantType(OAuthError):
    """No such grant type here (RFC 6749 §5.2)."""

    code = "unsupported_grant_type"
    default_description = "The grant type is not supported"


class ScopeRefused(OAuthError):
    """The scope is unknown, malformed or more than the client holds (RFC 6749 §5.2)."""

    code = "invalid_scope"
    default_description = "The requested scope is invalid, unknown or exceeds what the client holds"


class InvalidTarget(OAuthError):
    """The resource is unknown or not for this client (RFC 8707 §2)."""

    code = "invalid_target"
    default_description = "The requested resource is unknown or not available to the client"


class KeyRefused(InvalidToken):
    """A whole API key of ours that is not good now: its owner may know why, and its bearer."""

    def __init__(self, reason: Reason, key: ApiKey, *, detail: str = "") -> None:
        super().__init__(reason, detail=detail)
        self.key = key


class AdminError(KeyturnError):
    """An error of the management API, the CLI and the dashboard."""

    code = "invalid"

    def __init__(self, description: str, *, field: str | None = None, detail: str = "") -> None:
        super().__init__(description, detail=detail)
        self.field = field


class Invalid(AdminError):
    """A field has a value that cannot be taken; ``field`` names it."""


class Forbidden(AdminError):
    """The caller lacks a right, or would give what it does not hold."""

    code = "insufficient_scope"


class SignInRefused(Forbidden):
    """Nobody is signed in by this; the one answer for every cause."""

    code = "sign_in_refused"


class NotFound(AdminError):
    """No such object, or another organization's: the two cannot be told apart."""

    code = "not_found"

    def __init__(self, what: str = "object") -> None:
        super().__init__(f"No such {what}")


class Conflict(AdminError):
    """The change meets another one: a name taken, a key that has been rotated already."""

    code = "conflict"


class PlanLimit(AdminError):
    """The organization's plan does not allow one more."""

    code = "plan_limit"


class RateLimited(OAuthError):
    """Too many in this window (RFC 6585 §4); ``usages`` say of what, where the caller may know."""

    code = "rate_limited"
    default_description = "Too many requests: wait as long as Retry-After says"

    def __init__(self, retry_after: int, usages: tuple[Any, ...] = ()) -> None:
        super().__init__(detail="rate_limited")
        self.retry_after = retry_after
        self.usages = usages


class InsufficientRight(OAuthError):
    """The authenticated client lacks the scope that this endpoint asks for (RFC 6750 §3.1)."""

    code = "insufficient_scope"
    default_description = "The client lacks the scope that this endpoint requires"


class Unavailable(KeyturnError):
    """Something this request needs is away; try again after ``retry_after`` seconds."""

    code = "temporarily_unavailable"

    def __init__(
        self,
        description: str = "Temporarily unavailable",
        *,
        detail: str = "",
        retry_after: int = 5,
    ) -> None:
        super().__init__(description, detail=detail)
        self.retry_after = retry_after


class Contended(Unavailable):
    """The database could not serialize this transaction with another one: it may be tried again."""


class StartRefused(KeyturnError):
    """The server cannot start as configured; the description says what to do about it."""

    code = "start_refused"
