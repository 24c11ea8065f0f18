"""What the description says of the routes that are not of the management API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from flask_openapi3 import Tag
from pydantic import BaseModel, ConfigDict, Field

from app.oauth import metadata as paths
from app.storage.statuses import STATUS_LISTS
from app.web import leaks
from app.web.api.documented import JSON, answers, ref, refused
from app.web.api.values import Error
from keyturn.status_list import MEDIA_TYPE

TAGS = [
    Tag(name="oauth", description="Tokens (RFC 6749, 7009, 7662)"),
    Tag(name="open", description="What anybody may read"),
]

_FORM = "application/x-www-form-urlencoded"
Text = Annotated[str, Field(max_length=4096)]


class ClientForm(BaseModel):
    """Client authentication in the body, where it is not by HTTP Basic (RFC 6749 §2.3.1)."""

    client_id: Text = ""
    client_secret: Text = ""


class TokenRequest(ClientForm):
    """RFC 6749 §4.4.2, with the resource of RFC 8707 and its alias; RFC 8693 §2.1."""

    grant_type: Text
    scope: Text = Field("", description="Separated by spaces; by default all that is held.")
    resource: list[Text] = Field([], description="The APIs it shall be for.")
    audience: list[Text] = Field([], description="The same as `resource`.")
    subject_token: Text = Field("", description="To exchange: an API key.")
    subject_token_type: Text = Field(
        "", description="`urn:ietf:params:oauth:token-type:access_token`"
    )
    requested_token_type: Text = Field("", description="The same, or `…:jwt`.")


class PresentedToken(ClientForm):
    """RFC 7009 §2.1, RFC 7662 §2.1."""

    token: Text
    token_type_hint: Text = ""


class Document(BaseModel):
    """A JSON object; more members than those named here may come."""

    model_config = ConfigDict(extra="allow")


class TokenResponse(Document):
    """RFC 6749 §5.1."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class Introspected(Document):
    """RFC 7662 §2.2; of an inactive token nothing but that is said."""

    active: bool


class OAuthError(BaseModel):
    """RFC 6749 §5.2."""

    error: str
    error_description: str


class ServerMetadata(Document):
    """RFC 8414 §2."""

    issuer: str
    token_endpoint: str
    jwks_uri: str


class KeySet(BaseModel):
    """RFC 7517 §5: public keys only."""

    keys: list[dict[str, Any]]


class StatusLists(BaseModel):
    """draft-ietf-oauth-status-list §9.3."""

    status_lists: list[str]


class Empty(BaseModel):
    """Nothing need be said."""


class Health(Document):
    """How it is."""

    status: str


_MODELS: tuple[type[BaseModel], ...] = (
    TokenRequest,
    PresentedToken,
    TokenResponse,
    Introspected,
    OAuthError,
    ServerMetadata,
    KeySet,
    StatusLists,
    Empty,
    Health,
    Document,
    leaks.Leak,
    leaks.Feedback,
    Error,
)


def schemas() -> dict[str, Any]:
    """The schemas that the operations below name."""
    found: dict[str, Any] = {}
    for model in _MODELS:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    return found


def operations(metadata: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The path items, by path."""
    grants = ", ".join(f"`{name}`" for name in metadata["grant_types_supported"])
    health = {"200": answers("OK", Health)}
    items = {
        paths.TOKEN: {"post": _form(f"Issue a token: {grants}", TokenRequest, TokenResponse)},
        paths.INTROSPECT: {
            "post": _form(
                "Ask about a token or an API key (RFC 7662)", PresentedToken, Introspected, "403"
            )
        },
        paths.REVOKE: {"post": _form("Revoke a token or an API key (RFC 7009)", PresentedToken)},
        **{
            path: {"get": _open("Authorization server metadata (RFC 8414)", _kept(ServerMetadata))}
            for path in paths.METADATA
        },
        paths.JWKS: {
            "get": _open("Public keys (RFC 7517)", _kept(KeySet, "application/jwk-set+json"))
        },
        STATUS_LISTS: {"get": _open("Where the status lists are", _kept(StatusLists))},
        f"{STATUS_LISTS}/{{number}}": {
            "get": {
                **_open(
                    "A status list (draft-ietf-oauth-status-list §8)",
                    {"200": _text(MEDIA_TYPE), "304": {"description": "Not modified"}},
                ),
                "parameters": [
                    {
                        "name": "number",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "integer", "minimum": 0},
                    }
                ],
            }
        },
        paths.AUTHORIZE: {
            method: _open(
                "A plain refusal: no user ever signs in here",
                {"400": answers("Refused", OAuthError)},
            )
            for method in ("get", "post")
        },
        "/health": {"get": _open("Whether the process answers", health)},
        "/health/ready": {
            "get": _open(
                "Whether a token could be issued now", health | {"503": answers("Not now", Health)}
            )
        },
        "/v1/openapi.json": {"get": _open("This description", _kept(Document))},
        leaks.PATH: {"post": _report()},
        "/docs": {
            "get": _open(
                "This description as a page, to try it",
                {"200": _text("text/html")},
            )
        },
    }
    for path, item in items.items():
        for method, operation in item.items():
            operation["operationId"] = re.sub(r"\W+", "_", method + path)
    return items


def _text(media_type: str) -> dict[str, Any]:
    return {"description": "OK", "content": {media_type: {"schema": {}}}}


def _kept(model: type[BaseModel], media_type: str = JSON) -> dict[str, Any]:
    return {"200": answers("OK", model, media_type), "304": {"description": "Not modified"}}


def _open(summary: str, responses: Mapping[str, Any]) -> dict[str, Any]:
    wrong = {"400": refused(400)}
    return {
        "tags": ["open"],
        "summary": summary,
        "security": [],
        "responses": wrong | {**responses},
    }


def _report() -> dict[str, Any]:
    def several(model: type[BaseModel], most: int) -> dict[str, Any]:
        return {JSON: {"schema": {"type": "array", "items": ref(model), "maxItems": most}}}

    refusals = ("403", "404", "413", "429", "500", "503")
    operation = _open(
        "Take GitHub's report of leaked keys, signed by GitHub",
        {
            "200": {"description": "OK", "content": several(leaks.Feedback, leaks.MAX_LEAKS)},
            **{status: refused(int(status)) for status in refusals},
        },
    )
    content = several(leaks.Leak, leaks.MAX_LEAKS)
    return operation | {"requestBody": {"required": True, "content": content}}


def _form(
    summary: str, form: type[BaseModel], answer: type[BaseModel] | None = None, *also: str
) -> dict[str, Any]:
    refusals = ("400", "401", "405", "413", "500", "503", *also)
    return {
        "tags": ["oauth"],
        "summary": summary,
        "security": [{"client": []}, {}],
        "requestBody": {"required": True, "content": {_FORM: {"schema": ref(form)}}},
        "responses": {
            "200": answers("OK", answer or Empty),
            **{status: refused(int(status), OAuthError) for status in refusals},
        },
    }
