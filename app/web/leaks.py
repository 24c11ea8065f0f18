"""``POST /v1/leaks``: GitHub tells of keys that it has found (its secret scanning programme).

There is no such page until its public keys are configured: it takes no other credential.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated

from flask import Blueprint, Response, abort, current_app, g, jsonify, request
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from app.apikeys import leaks
from app.crypto.reports import ReportKeys
from app.errors import Unavailable
from app.oauth.credentials import STRANGE
from app.web.forms import read_body
from app.web.problems import invalid_input, problem
from app.wiring import Services, services
from keyturn.errors import InvalidToken
from keyturn.verify import is_token_shaped

PATH = "/v1/leaks"
MAX_REPORT = 1024 * 1024
MAX_LEAKS = 2000

blueprint = Blueprint("leaks", __name__)


class Leak(BaseModel):
    """One secret, as GitHub found it."""

    token: Annotated[str, Field(min_length=1, max_length=4096)]
    type: Annotated[str, Field(max_length=200)] = Field("", description="The pattern's name.")
    url: Annotated[str, Field(max_length=8192)] = ""
    source: Annotated[str, Field(max_length=200)] = ""


class Feedback(BaseModel):
    """Whether it was one of ours; the secret by its SHA-256 in hexadecimal."""

    token_hash: str
    token_type: str
    label: str


_REPORT = TypeAdapter(Annotated[list[Leak], Field(max_length=MAX_LEAKS)])


@blueprint.post(PATH)
def report() -> Response:
    """Act by policy on each, and say which were keys of ours."""
    found = services(current_app)
    path = found.settings.github_keys_file
    if path is None:
        abort(404)
    found.failures.require_few(g.origin.ip)
    body = read_body(request.environ, MAX_REPORT)
    try:
        # Each time: GitHub replaces its keys, and reports are rare.
        keys = ReportKeys.read(path)
    except (OSError, ValueError) as error:
        raise Unavailable(detail=f"{path}: {error}") from error
    identifier = request.headers.get("Github-Public-Key-Identifier", "")
    signature = request.headers.get("Github-Public-Key-Signature", "")
    if not keys.have_signed(identifier, signature, body):
        found.failures.note(g.origin.ip)
        return problem(403, "bad_signature", "The report is not signed by a known key of GitHub")
    try:
        reported = _REPORT.validate_json(body)
    except ValidationError as error:
        return invalid_input(error)
    response = jsonify([_feedback(found, one).model_dump() for one in reported])
    response.headers["Cache-Control"] = "no-store"
    return response


def _feedback(found: Services, one: Leak) -> Feedback:
    return Feedback(
        token_hash=sha256(one.token.encode()).hexdigest(),
        token_type=one.type,
        label="true_positive" if _is_ours(found, one) else "false_positive",
    )


def _is_ours(found: Services, one: Leak) -> bool:
    leak = leaks.Leak(one.token, one.url, one.source)
    if not is_token_shaped(one.token):
        return leaks.act(found.desk, leak, g.origin)
    try:
        token = found.credentials.token(one.token)
    except InvalidToken as refused:
        return refused.reason not in STRANGE  # ours, and over
    leaks.act_on_token(found.desk, token.claims, token.organization.id, leak, g.origin)
    return True
