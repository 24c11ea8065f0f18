"""The usage log: single requests of an organization's credentials, as a list and as a file."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from app.admin import request_records
from app.admin.request_records import RequestFilter
from app.builtin import AUDIT_READ
from app.errors import Invalid
from app.records import OUTCOMES
from app.web.api.request_records import as_file
from app.web.dashboard import filters
from app.web.dashboard.shell import page, query
from app.web.dashboard.signed_in import actor, desk, organization_id

blueprint = Blueprint("requests", __name__, url_prefix="/requests")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""What is offered to choose from; any other can be typed into the address."""
TEXTS = (
    "credential_id", "method", "route", "status", "outcome", "reason", "ip", "request_id"
)  # fmt: skip


@blueprint.get("")
def index() -> Any:
    """The list, by every filter of ``/v1/usage/requests``."""
    found, refused = filters.found(
        lambda: request_records.list_page(
            desk(), actor(), _filter(), cursor=query("cursor"), organization_id=organization_id()
        )
    )
    return page(
        "requests",
        found=found,
        refused=refused,
        outcomes=OUTCOMES,
        methods=METHODS,
        asked=request.args,
        explains=AUDIT_READ in actor().scopes,
        files=filters.files(refused, TEXTS),
    )


@blueprint.get("/export/<form>")
def export(form: str) -> Response:
    """Everything that the filters let through, as a file."""

    def file() -> Response:
        found = request_records.every(desk(), actor(), _filter(), organization_id=organization_id())
        return as_file(form, found)

    return filters.exported(form, file, TEXTS)


def _filter() -> RequestFilter:
    named = filters.read(TEXTS)
    if "status" in named:
        named["status"] = _status(named["status"])
    return RequestFilter(**named)


def _status(text: str) -> int:
    if len(text) != 3 or not text.isascii() or not text.isdigit():
        raise Invalid("status must be a number, as 403", field="status")
    return int(text)
