"""What the description says of the routes that are not of the management API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from flask_openapi3 import Tag
from pydantic import BaseModel, ConfigDict, Field

from app.oauth import metadata as paths
from app.web.api.values import Error

TAGS = [
    Tag(name="oauth", description="Tokens (RFC 6749, 7009, 7662)"),
    Tag(name="open", description="What anybody may read"),
]

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
Text = Annotated[str, Field(max_length=4096)]


class ClientForm(BaseModel):
    """Client authentication in the body, where it is not by HTTP Basic (RFC 6749 §2.3.1)."""

    client_id: Text = ""
    client_secret: Text = ""


class TokenRequest(ClientForm):
    """RFC 6749 §4.4.2, with the resource of RFC 8707 and its alias."""

    grant_type: Text
    scope: Text = Field("", description="Separated by spaces; by default all that is held.")
    resource: list[Text] = Field([], description="The APIs it shall be for.")
    audience: list[Text] = Field([], description="The same as `resource`.")


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
    Health,
    Document,
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
    document = _open("Authorization server metadata (RFC 8414)", ServerMetadata)
    refusal = _body("The authorization endpoint: no user signs in here", OAuthError)
    return {
        paths.TOKEN: _post(f"Issue a token: {grants}", TokenRequest, TokenResponse),
        paths.INTROSPECT: _post(
            "Ask about a token or an API key (RFC 7662)", PresentedToken, Introspected, 403
        ),
        paths.REVOKE: _post("Revoke a token or an API key (RFC 7009)", PresentedToken, None),
        **{path: {"get": document | {"operationId": _id("get", path)}} for path in paths.METADATA},
        paths.JWKS: {"get": _open("Public keys (RFC 7517)", KeySet, "application/jwk-set+json")},
        paths.AUTHORIZE: {
            method: {
                "tags": ["oauth"],
                "summary": "A plain refusal: no user ever signs in here",
                "operationId": f"{method}_authorize",
                "security": [],
                "responses": {"400": refusal},
            }
            for method in ("get", "post")
        },
        "/health": {"get": _open("Whether the process answers", Health)},
        "/health/ready": {"get": _open("Whether a token could be issued now", Health, also="503")},
        "/v1/openapi.json": {"get": _open("This description", Document)},
        "/docs": {
            "get": {
                "tags": ["open"],
                "summary": "This description as a page, to try it",
                "operationId": "get_docs",
                "security": [],
                "responses": {
                    "200": {"description": "OK", "content": {"text/html": {"schema": {}}}},
                    **_WRONG,
                },
            }
        },
    }


def _id(method: str, path: str) -> str:
    return f"{method}_{path.strip('/').replace('/', '_').replace('-', '_').replace('.', '_')}"


def _body(description: str, model: type[BaseModel], media_type: str = _JSON) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": _ref(model)}}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


_WRONG = {"400": _body("Bad Request", Error)}


def _open(
    summary: str, model: type[BaseModel], media_type: str = _JSON, also: str = ""
) -> dict[str, Any]:
    responses = {"200": _body("OK", model, media_type), **_WRONG}
    if also:
        responses[also] = _body("Not now", model, media_type)
    return {
        "tags": ["open"],
        "summary": summary,
        "operationId": "get_" + model.__name__ + ("_now" if also else ""),
        "security": [],
        "responses": responses,
    }


def _post(
    summary: str, form: type[BaseModel], answer: type[BaseModel] | None, *also: int
) -> dict[str, Any]:
    done = _body("OK", answer) if answer else {"description": "OK"}
    refusals = {400: "Bad Request", 401: "Client authentication failed", 403: "Forbidden"}
    refusals |= {405: "POST only", 413: "Too large", 500: "A bug", 503: "Not now"}
    skipped = {403} - set(also)
    return {
        "post": {
            "tags": ["oauth"],
            "summary": summary,
            "operationId": f"post_{form.__name__}_{answer.__name__ if answer else 'revoke'}",
            "security": [{"client": []}, {}],
            "requestBody": {"required": True, "content": {_FORM: {"schema": _ref(form)}}},
            "responses": {
                "200": done,
                **{
                    str(status): _body(why, OAuthError)
                    for status, why in refusals.items()
                    if status not in skipped
                },
            },
        }
    }
