"""Metadata (RFC 8414), JWKS (RFC 7517) and health: what anybody may read."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, request

from app.oauth import metadata as paths
from app.tokens.keyring import JWKS_MAX_AGE
from app.wiring import services

blueprint = Blueprint("well_known", __name__)

MAX_AGE = round(JWKS_MAX_AGE.total_seconds())


def _document(body: Mapping[str, Any], media_type: str = "application/json") -> Response:
    content = orjson.dumps(body)
    response = Response(content, mimetype=media_type)
    response.headers["Cache-Control"] = f"public, max-age={MAX_AGE}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.set_etag(sha256(content).hexdigest()[:32])
    response.make_conditional(request)
    return response


for path in paths.METADATA:

    @blueprint.get(path, endpoint=path.rsplit("/", 1)[1])
    def metadata() -> Response:
        return _document(services(current_app).metadata)


@blueprint.get(paths.JWKS)
def jwks() -> Response:
    """Public keys only: the next, the current and those whose tokens are still alive."""
    return _document(services(current_app).keyring.published().jwks, "application/jwk-set+json")


@blueprint.route(paths.AUTHORIZE, methods=["GET", "POST"])
def authorize() -> Response:
    """No user ever signs in here; some clients want the endpoint to exist all the same."""
    body = {
        "error": "unsupported_response_type",
        "error_description": "This server issues tokens to machines: use the token endpoint",
    }
    return Response(orjson.dumps(body), status=400, mimetype="application/json")


@blueprint.get("/health")
def live() -> Response:
    """The process answers."""
    return Response(b'{"status":"ok"}', mimetype="application/json")


@blueprint.get("/health/ready")
def ready() -> Response:
    """Whether a token could be issued now; why not, as one of a few words.

    With the database away it stays ready for as long as known clients are served without it, and
    says so in ``degraded``.
    """
    verdict = services(current_app).readiness()
    if verdict.is_ready:
        body = {"status": "ready"} | ({"degraded": verdict.reason} if verdict.reason else {})
    else:
        body = {"status": "unavailable", "reason": verdict.reason or ""}
    response = Response(orjson.dumps(body), 200 if verdict.is_ready else 503)
    response.content_type = "application/json"
    response.headers["Cache-Control"] = "no-store"
    return response
