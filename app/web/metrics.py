"""``/metrics``: for whoever has the token of it; without one there is no such page."""

from __future__ import annotations

from hmac import compare_digest
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, request

from app.errors import Unavailable
from app.web.problems import problem
from app.wiring import services

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> Response:
    """All workers of this node, in the text format of Prometheus or as OpenMetrics."""
    found = services(current_app)
    token = found.settings.metrics_token
    if token is None:
        abort(404)
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    # As bytes: compare_digest takes text only where it is ASCII.
    right = compare_digest(presented.strip().encode("utf-8", "replace"), token.encode())
    if scheme.lower() != "bearer" or not right:
        response = problem(401, "invalid_token", "The metrics have a token of their own")
        response.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return response
    # Only where it is asked for: 30 ms of every start otherwise.
    from app.observe.exposition import exposition

    found.reporter.once()
    accept = request.headers.get("Accept", "")
    try:
        content, media_type = exposition(Path(found.settings.metrics_dir), accept)
    except OSError as error:
        raise Unavailable(detail=f"metrics: {error}") from error
    return Response(content, content_type=media_type, headers={"Cache-Control": "no-store"})
