"""Guard Flask views by scope; the one module here that imports a framework.

from keyturn import Verifier
from keyturn.flask import current_principal, register_refusals, require_scope

verifier = Verifier("https://auth.example.com", audience="https://api.example.com")
register_refusals(app)

@app.get("/bookings")
@require_scope(verifier, "bookings:read")
def bookings():
    return bookings_of(current_principal.organization)
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from flask import Flask, Response, current_app, g, jsonify, request
from werkzeug.local import LocalProxy

from keyturn.bearer import Verifier
from keyturn.errors import CredentialRefused
from keyturn.principal import Principal
from keyturn.profiles import DEFAULT_PROFILE, PROFILES, Failure, present
from keyturn.proxies import Proxies

log = logging.getLogger("keyturn")
_TOLD = "keyturn"

P = ParamSpec("P")
R = TypeVar("R")


def _principal() -> Principal:
    principal = g.get("keyturn_principal")
    if principal is None:
        raise RuntimeError("no principal: this view has no @require_scope")
    return cast(Principal, principal)


current_principal: Principal = cast(Principal, LocalProxy(_principal))
"""Who presents the current request; RuntimeError where nothing was verified."""


def require_scope(
    verifier: Verifier, *scopes: str, proxies: Proxies | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a request through to the view if its credential holds all these scopes; none: any valid
    one.

    Raises CredentialRefused, which `register_refusals` turns into an answer. With `proxies` the
    caller's address is what they say of it, and https is required; `Proxies()` where the app is
    reached directly. Without, the address is `request.remote_addr`, and plain HTTP is taken.
    """
    required = " ".join(scopes)

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            g.keyturn_principal = verifier.verify(
                request.headers.get("Authorization"),
                origin=request.headers.get("Origin"),
                required_scope=required,
                url=f"{request.path}?{request.query_string.decode('ascii', 'replace')}",
                **_seen_by(proxies),
            )
            return cast(R, current_app.ensure_sync(view)(*args, **kwargs))

        return guarded

    return guard


def _seen_by(proxies: Proxies | None) -> dict[str, Any]:
    peer = request.remote_addr
    if proxies is None:
        return {"ip": peer}
    headers = request.headers
    return {
        "ip": proxies.client_address(peer, headers.get("X-Forwarded-For", "")),
        "is_secure": proxies.is_secure(peer, request.scheme, headers.get("X-Forwarded-Proto", "")),
    }


def register_refusals(
    app: Flask,
    *,
    realm: str = "api",
    request_id: Callable[[], str | None] = lambda: None,
    profile: str | Callable[[], str] = DEFAULT_PROFILE,
) -> None:
    """Answer every CredentialRefused in this app, and log why.

    `profile` names how the answer reads (`keyturn.profiles.PROFILES`), or says it for the current
    request. The exact reason is in the log only, under the logger `keyturn`, with the id that
    `request_id` gives and that the answer has as X-Request-Id.
    """
    told = profile if callable(profile) else lambda: profile
    if not callable(profile) and profile not in PROFILES:
        raise ValueError(f"profile: one of {', '.join(PROFILES)}")
    app.extensions[_TOLD] = _Told(told, request_id)

    def answer(refused: CredentialRefused) -> Response:
        log.info(
            "refused %s %s: %s %s (%s)",
            request.method,
            request.path.encode("ascii", "backslashreplace").decode(),
            refused.reason,
            refused.detail,
            request_id(),
        )
        return refusal(refused, realm=realm, request_id=request_id(), profile=told())

    app.register_error_handler(CredentialRefused, answer)


def refusal(
    refused: CredentialRefused,
    *,
    realm: str = "api",
    request_id: str | None = None,
    profile: str = DEFAULT_PROFILE,
) -> Response:
    """The answer to one refusal (RFC 6750 §3), for those who register handlers of their own."""
    response = _response(Failure.of(refused, request_id), profile)
    response.headers["Cache-Control"] = "no-store"
    challenge = refused.challenge_for(realm)
    if challenge is not None:
        response.headers["WWW-Authenticate"] = challenge
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response


def failure(status: int, code: str, message: str, **also: Any) -> Response:
    """Whatever else goes wrong in this app, told in the same form as its refusals.

    `also`: `details`, a list of what is wrong with each field.
    """
    told: _Told = current_app.extensions[_TOLD]
    return _response(
        Failure(status, code, message, request_id=told.request_id(), **also), told.profile()
    )


class _Told(NamedTuple):
    profile: Callable[[], str]
    request_id: Callable[[], str | None]


def _response(failed: Failure, profile: str) -> Response:
    presented = present(failed, PROFILES[profile])
    response = jsonify(presented.body)
    response.status_code = presented.status
    response.mimetype = presented.media_type
    if failed.request_id is not None:
        response.headers["X-Request-Id"] = failed.request_id
    return response
