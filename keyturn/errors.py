"""KeyturnError, the root of every error in both packages.

Each class has a stable `code`; each instance a `description` for the caller and a `detail` for the
log. The two are never swapped: what a stranger is told does not help a stranger.
"""

# The names follow OAuth: what was refused, not "…Error".

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from keyturn.challenge import bearer

if TYPE_CHECKING:
    from keyturn.limits.values import Usage


class KeyturnError(Exception):
    """Something was refused; `str(e)` is what the caller may read.

    >>> error = KeyturnError("try again", detail="disk full on node 3")
    >>> str(error), error.code, error.detail
    ('try again', 'error', 'disk full on node 3')
    """

    code: ClassVar[str] = "error"
    default_description: ClassVar[str] = "The request was refused"

    def __init__(self, description: str = "", *, detail: str = "") -> None:
        self.description = description or self.default_description
        self.detail = detail
        super().__init__(self.description)


class InvalidScope(KeyturnError):
    """A scope string or grant that is malformed, too long or unknown (RFC 6749 §5.2)."""

    code = "invalid_scope"
    default_description = (
        "A scope is one or more tokens of printable ASCII, separated by single spaces"
    )


class MalformedKey(KeyturnError):
    """A text that is not a key of the expected form; nothing was looked up to find out."""

    code = "malformed"
    default_description = "The key is malformed"


class BadChecksum(MalformedKey):
    """A key of the right form whose checksum does not fit: mistyped, cut or invented."""

    code = "bad_checksum"
    default_description = "The checksum of the key does not fit"


class Reason(StrEnum):
    """Why a credential was refused: for logs, metrics and its owner; a closed set.

    >>> Reason("expired") is Reason.EXPIRED
    True
    """

    MISSING = "missing"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    BAD_CHECKSUM = "bad_checksum"
    UNKNOWN = "unknown"
    SECRET_MISMATCH = "secret_mismatch"  # noqa: S105 - a reason, not a secret
    INACTIVE = "inactive"  # the server said "active": false, and by RFC 7662 §2.2 no more than that
    REVOKED = "revoked"
    ROTATED = "rotated"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    DISABLED = "disabled"
    ENVIRONMENT_MISMATCH = "environment_mismatch"
    ORIGIN_MISMATCH = "origin_mismatch"
    IP_NOT_ALLOWED = "ip_not_allowed"
    INSECURE_TRANSPORT = "insecure_transport"
    IN_QUERY = "in_query"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_TYPE = "wrong_type"
    BAD_SIGNATURE = "bad_signature"
    UNSUPPORTED_ALGORITHM = "unsupported_algorithm"
    UNKNOWN_KEY = "unknown_key"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    PLAN_LIMIT = "plan_limit"
    ORG_REQUIRED = "org_required"
    ORG_NOT_ALLOWED = "org_not_allowed"  # there is none, it is suspended, or not for this one
    MODE_UNKNOWN = "mode_unknown"
    SERVER_ONLY = "server_only"  # a credential for servers, out of a browser
    PROOF_REQUIRED = "proof_required"  # bound to a key (cnf) that a bearer does not prove to have
    UNAVAILABLE = "unavailable"


class CredentialRefused(KeyturnError):
    """A credential that does not open this door.

    `reason` is exact and stays on our side of the door; `status`, `code`, `description` and
    `challenge` are for the caller, and are equal for all causes that a stranger could learn from.

    >>> refused = InvalidToken(Reason.REVOKED, detail="key_7 was revoked at 12:03")
    >>> refused.status, refused.code, str(refused.reason)
    (401, 'invalid_token', 'revoked')
    >>> refused.challenge
    'Bearer realm="api", error="invalid_token", error_description="The credential is not valid"'
    """

    code = "invalid_token"
    default_description = "The credential is not valid"
    error: str | None = "invalid_token"
    status: int = 401
    scope: str = ""
    retry_after: int | None = None
    credential_id: str | None = None
    """Whose credential it was, where it is good and was refused for a limit or a scope."""
    usages: tuple[Usage, ...] = ()
    # Whether another credential could help.
    _is_challenged: ClassVar[bool] = True

    def __init__(self, reason: Reason, description: str = "", *, detail: str = "") -> None:
        super().__init__(description, detail=detail)
        self.reason = reason

    @property
    def challenge(self) -> str | None:
        """The value of WWW-Authenticate (RFC 6750 §3); None where a credential would not help."""
        return self.challenge_for("api")

    def challenge_for(self, realm: str, *, resource_metadata: str | None = None) -> str | None:
        """The same, with a realm of one's own and the address of resource metadata (RFC 9728)."""
        if not self._is_challenged:
            return None
        return bearer(
            realm,
            error=self.error,
            description=self.description if self.error else None,
            scope=self.scope,
            resource_metadata=resource_metadata,
        )


class CredentialMissing(CredentialRefused):
    """No credential at all: the challenge carries no error code (RFC 6750 §3.1).

    >>> CredentialMissing().challenge
    'Bearer realm="api"'
    """

    code = "missing"
    default_description = "Authorization header is missing"
    error = None

    def __init__(self, description: str = "", *, detail: str = "") -> None:
        super().__init__(Reason.MISSING, description, detail=detail)


class CredentialMalformed(CredentialRefused):
    """An Authorization header that cannot be read as `Bearer <credential>`.

    Of the codes in RFC 6750 §3.1 `invalid_token` is the one for a malformed credential, and goes
    with 401; `invalid_request` goes with 400, and would tell a client that another credential
    cannot help. Another scheme than Bearer gets no error code at all (same section): that client
    did not know how to ask.
    """

    code = "malformed"
    default_description = "Authorization header is malformed"

    def __init__(
        self, description: str = "", *, detail: str = "", other_scheme: bool = False
    ) -> None:
        super().__init__(Reason.MALFORMED, description, detail=detail)
        if other_scheme:
            self.error = None


class InvalidToken(CredentialRefused):
    """A token or key that is not valid here and now; only `reason` says which cause."""


class InsufficientScope(CredentialRefused):
    """A valid credential without the scope the resource needs; the needed scope is named.

    >>> InsufficientScope("bookings:write").challenge_for("api").endswith('scope="bookings:write"')
    True
    """

    code = "insufficient_scope"
    default_description = "The credential does not have the required scope"
    error = "insufficient_scope"
    status = 403

    def __init__(self, scope: str, description: str = "", *, detail: str = "") -> None:
        super().__init__(Reason.INSUFFICIENT_SCOPE, description, detail=detail)
        self.scope = scope


class RestrictionRefused(CredentialRefused):
    """A valid key outside the network or origin it is restricted to: nameable, since the key was
    right.

    RFC 6750 has no code for it, so the challenge has none; 403 says that presenting it again is
    useless.
    """

    error = None
    status = 403
    default_description = "The credential may not be used from here"

    def __init__(self, reason: Reason, description: str = "", *, detail: str = "") -> None:
        super().__init__(reason, description, detail=detail)
        # Shadows the class attribute: this is the one branch whose code is its reason (C-3).
        self.code = str(reason)  # type: ignore[misc]


class ActingRefused(CredentialRefused):
    """A service credential that acts for nobody, or for an organization that it may not act for.

    It was right, so the cause is named; of an organization nothing but that it will not do.

    >>> refused = ActingRefused(Reason.ORG_REQUIRED)
    >>> refused.status, refused.code, refused.challenge is None
    (400, 'org_required', True)
    """

    error = None

    def __init__(self, reason: Reason, *, detail: str = "") -> None:
        self.status, description = _ACTING[reason]
        super().__init__(reason, description, detail=detail)
        self.code = str(reason)  # type: ignore[misc]

    def challenge_for(self, realm: str, *, resource_metadata: str | None = None) -> str | None:
        """None: another credential would not help."""
        return None


_ACTING = {
    Reason.ORG_REQUIRED: (400, "A service credential must name an organization by its id"),
    Reason.MODE_UNKNOWN: (400, "The organization has no such mode"),
    Reason.ORG_NOT_ALLOWED: (403, "The credential may not act for this organization"),
}


class CredentialExposed(CredentialRefused):
    """A credential where others can read it: in a URL, or over plain HTTP. It is refused whatever
    it is, so the cause tells nobody anything; its owner should replace it.

    >>> refused = CredentialExposed(Reason.IN_QUERY)
    >>> refused.status, refused.code, str(refused)
    (401, 'in_query', 'Credentials are taken from the Authorization header only, never from a URL')
    """

    error = None

    def __init__(self, reason: Reason, *, detail: str = "") -> None:
        super().__init__(reason, _EXPOSED[reason], detail=detail)
        self.code = str(reason)  # type: ignore[misc]


_EXPOSED = {
    Reason.IN_QUERY: "Credentials are taken from the Authorization header only, never from a URL",
    Reason.INSECURE_TRANSPORT: "Credentials are taken over https only",
}


class VerifierUnavailable(CredentialRefused):
    """Nobody can say now whether the credential is valid: 503, kept apart from 401, and no
    challenge.

    `retry_after` is in seconds.
    """

    code = "unavailable"
    default_description = "Credentials cannot be verified at the moment"
    error = None
    status = 503
    _is_challenged = False

    def __init__(self, description: str = "", *, detail: str = "", retry_after: int = 5) -> None:
        super().__init__(Reason.UNAVAILABLE, description, detail=detail)
        self.retry_after = retry_after


class RateLimited(CredentialRefused):
    """A good credential that is used too often (RFC 6585 §4).

    `usages` say how each of its limits stands; `retry_after` is in seconds, and never earlier than
    the end of the window that was violated.
    """

    code = "rate_limited"
    default_description = "Too many requests: wait as long as Retry-After says"
    error = None
    status = 429
    _is_challenged = False

    def __init__(self, usages: tuple[Usage, ...], retry_after: int, *, detail: str = "") -> None:
        super().__init__(Reason.RATE_LIMITED, detail=detail)
        self.usages = usages
        self.retry_after = retry_after
