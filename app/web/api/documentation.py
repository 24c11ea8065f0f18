"""``/v1/openapi.json``, and ``/docs``: the same as a page where one can try it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import cast

import flask_openapi3_swagger  # type: ignore[import-untyped]
import orjson
from flask import Blueprint, Response, abort, current_app, request, send_from_directory
from flask_openapi3 import OpenAPI

from app.web.api import openapi

blueprint = Blueprint("documentation", __name__)

_HERE = Path(__file__).parent / "page"
_SWAGGER = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"
_FILES = {
    "page.js": (_HERE, "page.js"),
    "page.css": (_HERE, "page.css"),
    "swagger-ui.css": (_SWAGGER, "css/swagger-ui.css"),
    "swagger-ui-bundle.js": (_SWAGGER, "js/swagger-ui-bundle.js"),
}
"""Everything the page loads; it comes from here, and nothing from anywhere else."""

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Swagger UI's style sheet holds its icons as data: URLs
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@blueprint.get(openapi.PATH)
def description() -> Response:
    """The OpenAPI description; it holds no data, so it may be kept."""
    app = cast("OpenAPI", current_app)
    content = app.extensions.get("keyturn_openapi")
    if content is None:
        content = app.extensions["keyturn_openapi"] = orjson.dumps(openapi.document(app))
    response = Response(content, mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=300"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.set_etag(sha256(content).hexdigest()[:32])
    response.make_conditional(request)
    return response


@blueprint.get("/docs")
def page() -> Response:
    """The try-it page."""
    return _guarded(send_from_directory(_HERE, "page.html", max_age=300))


@blueprint.get("/docs/<name>")
def file(name: str) -> Response:
    """What the page loads."""
    if name not in _FILES:
        abort(404)
    directory, path = _FILES[name]
    return _guarded(send_from_directory(directory, path, max_age=86400))


def _guarded(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
