"""Errors become answers, here and nowhere else."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, current_app, g, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from app import errors
from app.web.forms import BodyTooLarge
from app.web.limits import refused_by_limit
from app.wiring import services
from keyturn.challenge import bearer
from keyturn.errors import CredentialRefused, KeyturnError
from keyturn.profiles import DEFAULT_PROFILE, MANAGEMENT, PROFILES, Failure, Profile, present

log = logging.getLogger(__name__)

_STATUS: dict[type[KeyturnError], int] = {
    errors.InvalidClient: 401,
    errors.RateLimited: 429,
    errors.InsufficientRight: 403,
    BodyTooLarge: 413,
    errors.OAuthError: 400,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PlanLimit: 403,
    errors.Invalid: 400,
    errors.Unavailable: 503,
}
API = "/v1/"
MAX_DETAILS = 20
_MESSAGES = {
    "extra_forbidden": "No such field",
    "missing": "Required",
    "model_type": "Must be a JSON object",
}


def status_of(error: KeyturnError) -> int:
    """The HTTP status of an error: its own, or that of the nearest class above."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return 500


def problem(
    status: int, code: str, message: str, details: list[dict[str, Any]] | None = None
) -> Response:
    """An error body: the management API's (CONTRACT §6), or a profile's."""
    return _answer(Failure(status, code, message, None, details or (), g.request_id))


def _answer(failure: Failure) -> Response:
    g.setdefault("reason", failure.code)
    presented = present(failure, _profile())
    response = jsonify(presented.body)
    response.status_code = presented.status
    response.mimetype = presented.media_type
    response.headers["Cache-Control"] = "no-store"
    return response


def _profile() -> Profile:
    """That of the organization whose credential was presented; where it is the default, or nobody
    is known, that of the API itself. Set under ``/v1`` alone."""
    chosen = g.get("profile", DEFAULT_PROFILE)
    if chosen != DEFAULT_PROFILE:
        return PROFILES[chosen]
    own = services(current_app).settings.api_profile if request.path.startswith(API) else None
    return PROFILES[own] if own is not None else MANAGEMENT


def render(error: KeyturnError) -> Response:
    """What the caller may know of an error; its detail goes to the log."""
    realm = services(current_app).settings.issuer
    g.reason = str(getattr(error, "reason", error.code))  # the exact one, for the usage log
    if isinstance(error, CredentialRefused):
        log.info("refused: %s", f"{error.reason} {error.detail}".rstrip())
        response = _answer(Failure.of(error, g.request_id))
        challenge = error.challenge_for(realm)
        if challenge is not None:
            response.headers["WWW-Authenticate"] = challenge
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response
    status = status_of(error)
    if status >= 500:
        log.warning("refused until it is back: %s", error.detail or error.description)
    field = getattr(error, "field", None)
    details = [{"field": field, "message": error.description}] if field else None
    response = problem(status, error.code, error.description, details)
    if isinstance(error, errors.Forbidden) and "caller" in g:
        response.headers["WWW-Authenticate"] = bearer(realm, error=error.code)  # RFC 6750 §3.1
    if isinstance(error, errors.RateLimited):
        response.headers.extend(refused_by_limit(error))
    if isinstance(error, errors.Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def invalid_input(error: ValidationError) -> Response:
    """A body or query that does not fit its model: each field named, no value repeated."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    details = [
        {
            # What was sent is said again in the names of unknown fields only, and cut.
            "field": ".".join(str(part)[:100] for part in one["loc"]) or "body",
            "message": _MESSAGES.get(one["type"], one["msg"]),
        }
        for one in found[:MAX_DETAILS]
    ]
    return problem(400, "invalid", "Some fields cannot be taken", details)


def register(app: Flask) -> None:
    """Render every error of every Flask route."""

    @app.errorhandler(KeyturnError)
    def on_refusal(error: KeyturnError) -> Response:
        return render(error)

    @app.errorhandler(HTTPException)
    def on_http(error: HTTPException) -> Response:
        code = (error.name or "error").lower().replace(" ", "_")
        response = problem(error.code or 500, code, error.description or error.name)
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def on_bug(error: Exception) -> Response:
        log.exception("%s failed", request.endpoint)
        return problem(500, "server_error", "Something went wrong on our side")
