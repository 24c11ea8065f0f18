"""Status lists as anybody may read them (draft-ietf-oauth-status-list §8, §9)."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response, abort, current_app, request

from app.storage.statuses import STATUS_LISTS
from app.wiring import services
from keyturn.status_list import MEDIA_TYPE

blueprint = Blueprint("status_lists", __name__)


@blueprint.get(f"{STATUS_LISTS}/<int(max=2147483647):number>")
def status_list(number: int) -> Response:
    """One list (§8.1), signed; the same bytes until it changes."""
    if "time" in request.args:
        # §8.4: "If the Server does not support the additional query parameter, it SHOULD return a
        # status code of 501".
        abort(501)
    found = services(current_app).status_lists.signed(number)
    if found is None:
        abort(404)
    response = Response(found.jwt, mimetype=MEDIA_TYPE)
    response.headers["Vary"] = "Accept-Encoding"
    if request.accept_encodings.quality("gzip") > 0:  # §8.2
        response.data, response.headers["Content-Encoding"] = found.gzipped, "gzip"
    # Weak: nodes that say the same sign it each for themselves.
    response.set_etag(found.etag, weak=True)
    return _public(response)


@blueprint.get(STATUS_LISTS)
def aggregation() -> Response:
    """Where all the lists are (§9.3)."""
    body = orjson.dumps({"status_lists": services(current_app).status_lists.uris()})
    return _public(Response(body, mimetype="application/json"))


def _public(response: Response) -> Response:
    ttl = round(services(current_app).settings.status_list_ttl.total_seconds())
    response.headers["Cache-Control"] = f"public, max-age={ttl}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.make_conditional(request)
    return response
