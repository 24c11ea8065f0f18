"""The management API: JSON under ``/v1``, one module per resource over a use case each."""

from __future__ import annotations

import random
import re
from time import perf_counter

from flask import Response, current_app, g, request
from flask_openapi3 import APIBlueprint, OpenAPI

from app.builtin import MANAGEMENT
from app.ids import record_id
from app.observe.context import BEGAN
from app.records import LIMITED, REFUSED, SUCCESS, RequestRecord
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
    profile,
    request_records,
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
    profile,
    users,
    activity,
    usage,
    usage_reports,
    request_records,
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
    """A use of the credential, whatever came of it, and a line in the usage log."""
    if "credential" in g:
        found, route = services(current_app), _route()
        outcome = _OUTCOMES.get(response.status_code, SUCCESS)
        credential_type, credential_id, organization_id = g.credential
        found.uses.note(
            credential_type,
            credential_id,
            organization_id,
            MANAGEMENT,
            outcome=outcome,
            ip=g.origin.ip,
            exercised=_SCOPES.get((request.method, route), "") if outcome == SUCCESS else "",
        )
        if _is_kept(found.settings.request_log, route):
            at = found.desk.clock()
            found.uses.keep(
                RequestRecord(
                    id=record_id(at),
                    at=at,
                    credential_type=credential_type,
                    credential_id=credential_id,
                    organization_id=organization_id,
                    method=request.method,
                    route=route,
                    status=response.status_code,
                    latency_ms=round((perf_counter() - (BEGAN.get() or 0)) * 1000, 1),
                    ip=g.origin.ip,
                    user_agent=g.origin.user_agent,
                    request_id=g.request_id,
                    outcome=outcome,
                    reason=g.get("reason"),
                )
            )
    return response


def _route() -> str:
    """Its template, as it is described; nothing that somebody typed."""
    return _VARIABLE.sub(r"{\1}", request.url_rule.rule) if request.url_rule else ""


def _is_kept(share: float, route: str) -> bool:
    # What APIs ask and report for those who use them comes as often as those do.
    return route not in _FOR_OTHERS and (share >= 1 or random.random() < share)  # noqa: S311


_FOR_OTHERS = frozenset({"/v1/api-keys/verify", "/v1/leases", "/v1/usage/reports"})
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
