"""Presentation profiles: how a refusal reads to those whom an API's own documentation addresses.

Inside there is one closed set of reasons. A profile puts each failure into status, code, message
and envelope; it changes neither what is refused nor what the headers say (the challenge of RFC
6750, Retry-After). OAuth endpoints have the one form of RFC 6749 §5.2 and no profile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, NamedTuple

from keyturn.errors import CredentialRefused, Reason

NAMEABLE = frozenset(
    {Reason.REVOKED, Reason.ROTATED, Reason.EXPIRED, Reason.NOT_YET_VALID, Reason.DISABLED}
)
"""Reasons that come up only after the whole secret, or a signature, was found right. Whoever
presented it may be told; every other cause reads like that of an invented key."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, before it is put into words.

    >>> Failure.of(CredentialRefused(Reason.REVOKED)).cause
    'revoked'
    >>> Failure.of(CredentialRefused(Reason.UNKNOWN)).cause is None
    True
    """

    status: int
    code: str
    message: str
    cause: str | None = None
    """Finer than the code, where it may be told."""
    details: Sequence[Mapping[str, Any]] = ()
    request_id: str | None = None

    @classmethod
    def of(cls, refused: CredentialRefused, request_id: str | None = None) -> Failure:
        """A refusal, without what a stranger could learn from it."""
        cause = str(refused.reason) if refused.reason in NAMEABLE else None
        return cls(refused.status, refused.code, refused.description, cause, (), request_id)


class Wording(NamedTuple):
    """What a documentation says of one failure."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Profile:
    """The wordings of one API, by cause or code; what has none keeps its own words."""

    name: str
    envelope: Callable[[Failure], dict[str, Any]]
    wordings: Mapping[str, Wording] = field(default_factory=dict)
    media_type: str = "application/json"
    spelt: Callable[[str], str] = str
    """How codes are written that have no wording."""
    mode_header: str | None = None
    """By which header service credentials name the mode, where not by the usual one."""


class Presented(NamedTuple):
    """The answer that goes out."""

    status: int
    body: dict[str, Any]
    media_type: str


def present(failure: Failure, profile: Profile) -> Presented:
    """A failure, as this profile tells it.

    >>> refused = CredentialRefused(Reason.REVOKED)
    >>> present(Failure.of(refused), PROFILES["reservekit"]).body
    {'error': {'code': 'revoked', 'message': 'API key revoked'}}
    >>> present(Failure.of(refused), PROFILES["astrocal"]).body["error"]["code"]
    'unauthorized'
    """
    words = profile.wordings.get(failure.cause or "") or profile.wordings.get(failure.code)
    if words is None:
        words = Wording(failure.status, profile.spelt(failure.code), failure.message)
    worded = replace(failure, status=words.status, code=words.code, message=words.message)
    return Presented(worded.status, profile.envelope(worded), profile.media_type)


def _error(failure: Failure) -> dict[str, Any]:
    error: dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.details:
        error["details"] = list(failure.details)
    return {"error": error}


def _error_with_id(failure: Failure) -> dict[str, Any]:
    body = _error(failure)
    if failure.request_id is not None:
        body["error"]["request_id"] = failure.request_id
    return body


def _unsuccessful(failure: Failure) -> dict[str, Any]:
    return {"success": False, **_error(failure)}


def _oauth(failure: Failure) -> dict[str, Any]:
    return {"error": failure.code, "error_description": failure.message}


def _problem(failure: Failure) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": "about:blank",  # RFC 9457 §4.2.1: then the title is the status' own phrase
        "title": HTTPStatus(failure.status).phrase,
        "status": failure.status,
        "detail": failure.message,
        "code": failure.code,
    }
    if failure.details:
        body["errors"] = list(failure.details)
    if failure.request_id is not None:
        body["request_id"] = failure.request_id
    return body


_OAUTH_INVALID = "The access token or API key is missing or not valid"
_FROM_ELSEWHERE = ("origin_mismatch", "ip_not_allowed", "server_only")
_FORBIDDEN = ("insufficient_scope", "org_not_allowed", *_FROM_ELSEWHERE)
_UNAUTHORIZED = ("missing", "malformed", "invalid_token")
_EXPOSED = ("in_query", "insecure_transport")
_TOO_MANY = ("rate_limited", "quota_exceeded")


def _all(codes: Sequence[str], *words: Any) -> dict[str, Wording]:
    return dict.fromkeys(codes, Wording(*words))


_BOOKINGSCHEDULER = {
    **_all(
        ("missing", *_EXPOSED),
        401,
        "UNAUTHORIZED",
        "No API key provided. Include your API key in the Authorization header.",
    ),
    **_all(
        ("malformed", "invalid_token"),
        401,
        "INVALID_API_KEY",
        "The API key provided is invalid or has been revoked.",
    ),
    **_all(
        _FORBIDDEN,
        403,
        "FORBIDDEN",
        "Your API key does not have permission to access this resource.",
    ),
}
_RESERVEKIT = {
    "missing": Wording(401, "missing", "Authorization header is missing"),
    "malformed": Wording(401, "malformed", "Authorization header is malformed"),
    "revoked": Wording(401, "revoked", "API key revoked"),
    "rotated": Wording(401, "revoked", "API key revoked"),
    "origin_mismatch": Wording(403, "origin_mismatch", "Origin does not match API key domain"),
    # From here on the documentation is silent, and these are ours.
    "invalid_token": Wording(401, "invalid", "API key invalid"),
    "expired": Wording(401, "expired", "API key expired"),
    "disabled": Wording(401, "disabled", "API key disabled"),
    "ip_not_allowed": Wording(403, "ip_not_allowed", "Address does not match API key"),
    "insufficient_scope": Wording(
        403, "insufficient_scope", "API key does not have access to this endpoint"
    ),
    **_all(_TOO_MANY, 429, "rate_limited", "Too Many Requests"),
}
_EXPERIENCELOCAL = {
    **_all(
        (*_UNAUTHORIZED, *_EXPOSED),
        401,
        "unauthorized",
        "Your API key is invalid, revoked, or missing.",
    ),
    **_all(
        _FORBIDDEN,
        403,
        "forbidden",
        "Your API key doesn't have permission for this operation.",
    ),
    **_all(_TOO_MANY, 429, "rate_limited", "You've exceeded the rate limit for this key."),
}
_ASTROCAL = {
    **_all(
        (*_UNAUTHORIZED, *_EXPOSED), 401, "unauthorized", "Missing or invalid Authorization header"
    ),
    **_all(_FORBIDDEN, 403, "forbidden", "This API key may not do that"),
}
# RFC 6750 §3.1 has three codes for resources; the rest is as RFC 6749 names such things.
_OAUTH = {
    **_all(("missing", "malformed", *_EXPOSED), 401, "invalid_token", _OAUTH_INVALID),
    **_all(_FROM_ELSEWHERE, 403, "access_denied", "The credential may not be used from here"),
    "org_required": Wording(400, "invalid_request", "A service credential names an organization"),
    "mode_unknown": Wording(400, "invalid_request", "The organization has no such mode"),
    "org_not_allowed": Wording(403, "access_denied", "Not for this organization"),
    "unavailable": Wording(
        503, "temporarily_unavailable", "Credentials cannot be verified at the moment"
    ),
}

DEFAULT_PROFILE = "problem+json"
PROFILES: Mapping[str, Profile] = {
    one.name: one
    for one in (
        Profile(DEFAULT_PROFILE, _problem, media_type="application/problem+json"),
        Profile("oauth", _oauth, _OAUTH),
        Profile("bookingscheduler", _unsuccessful, _BOOKINGSCHEDULER, spelt=str.upper),
        Profile("reservekit", _error, _RESERVEKIT),
        Profile("experiencelocal", _error, _EXPERIENCELOCAL),
        Profile("astrocal", _error, _ASTROCAL, mode_header="X-Astrocal-Mode"),
    )
}
"""The profiles by name, the default first."""

MANAGEMENT = Profile("management", _error_with_id)
"""Keyturn's own management API, for callers whose organization has no other profile."""
