"""The management API: JSON under ``/v1``, one module per resource over a use case each."""

from __future__ import annotations

import re

from flask import Response, current_app, g, request
from flask_openapi3 import APIBlueprint, OpenAPI

from app.builtin import MANAGEMENT
from app.records import LIMITED, REFUSED, SUCCESS
from app.web.api import (
    activity,
    api_keys,
    client_secrets,
    clients,
    documentation,
    inspections,
    key_policy,
    leases,
    me,
    openapi,
    organizations,
    plans,
    presets,
    resources,
    scopes,
    signing_keys,
    usage,
    usage_reports,
    users,
    verifications,
)
from app.web.api.bodies import JsonRequest
from app.web.api.caller import admit
from app.wiring import services
from keyturn.limits.headers import limit_headers

COLLECTIONS = (
    me,
    clients,
    client_secrets,
    api_keys,
    inspections,
    verifications,
    leases,
    key_policy,
    scopes,
    presets,
    resources,
    users,
    activity,
    usage,
    usage_reports,
    organizations,
    plans,
    signing_keys,
)
"""The resources, in the order in which the documentation shows them."""


def _assemble() -> APIBlueprint:
    whole = APIBlueprint("v1", __name__, url_prefix="/v1")
    whole.before_request(admit)
    whole.after_request(_never_stored)
    whole.after_request(_says_what_is_left)
    whole.after_request(_counts)
    for collection in COLLECTIONS:
        whole.register_api(collection.blueprint)
    return whole


def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _says_what_is_left(response: Response) -> Response:
    """On every answer to whom limits apply; a refusal by one of them says it itself."""
    response.headers.extend(limit_headers(g.get("usages", ())))
    return response


def _counts(response: Response) -> Response:
    """A use of the credential, whatever came of it."""
    if "credential" in g:
        outcome = _OUTCOMES.get(response.status_code, SUCCESS)
        credential_type, credential_id, organization_id = g.credential
        services(current_app).uses.note(
            credential_type,
            credential_id,
            organization_id,
            MANAGEMENT,
            outcome=outcome,
            ip=g.origin.ip,
            exercised=_needed() if outcome == SUCCESS else "",
        )
    return response


def _needed() -> str:
    path = _VARIABLE.sub(r"{\1}", request.url_rule.rule) if request.url_rule else ""
    return _SCOPES.get((request.method, path), "")


_OUTCOMES = {401: REFUSED, 403: REFUSED, 429: LIMITED}
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_v1 = _assemble()
_SCOPES = {
    (method.upper(), path): " ".join(operation.security[0]["bearer"])
    for path, item in _v1.paths.items()
    for method, operation in vars(item).items()
    if getattr(operation, "security", None)
}
"""What each route needs, by method and path as they are described."""


def mount(app: OpenAPI) -> None:
    """Mount ``/v1``, its description and the try-it page."""
    app.request_class = JsonRequest
    app.register_api(_v1)
    openapi.describe(app)
    app.register_blueprint(documentation.blueprint)
