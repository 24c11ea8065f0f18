"""The OpenAPI 3.1 description, computed from the routes and from what is really enabled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask_openapi3 import OpenAPI, SecurityScheme, Server
from flask_openapi3.models import PathItem, Schema

from app.builtin import administration
from app.web.api import beside
from app.web.api.exports import MEDIA_TYPES
from app.web.api.values import Error
from app.wiring import services

PATH = "/v1/openapi.json"

ABOUT = """\
Tokens and API keys for machines. Authenticate by `Authorization: Bearer` with an access token from
`/oauth/token` or with an API key; credentials in the URL are never taken. Times are RFC 3339 in
UTC. Lists are paged by `limit` and `cursor`. Every answer has an `X-Request-Id`; quote it when
something goes wrong."""


EXPORTS = dict.fromkeys(("list_activity", "list_requests"), tuple(MEDIA_TYPES.values()))
"""What else an operation can answer, as a file."""


def describe(app: OpenAPI) -> None:
    """Tell the app what its routes cannot tell by themselves."""
    found = services(app)
    app.info.description = ABOUT
    app.severs = [Server(url=found.settings.issuer)]
    app.validation_error_status = "400"  # documented by every route, with our own body
    app.validation_error_model = Error
    app.security_schemes = {
        "bearer": SecurityScheme(
            type="http", scheme="bearer", description="An API key, or an access token (RFC 6750)."
        ),
        "oauth2": SecurityScheme(
            type="oauth2",
            flows={  # type: ignore[arg-type]
                "clientCredentials": {
                    "tokenUrl": found.metadata["token_endpoint"],
                    "scopes": {
                        name: one.description for name, one in administration(operator=True).items()
                    },
                }
            },
        ),
        "client": SecurityScheme(
            type="http", scheme="basic", description="client_id and client_secret (RFC 6749 §2.3.1)"
        ),
    }
    described = beside.operations(found.metadata)
    app.paths.update({path: PathItem(**item) for path, item in described.items()})
    app.components_schemas.update(
        {name: Schema(**schema) for name, schema in beside.schemas().items()}
    )
    app.tags.extend(beside.TAGS)


def document(app: OpenAPI) -> dict[str, Any]:
    """The description, with what every route has in common."""
    spec: dict[str, Any] = app.api_doc
    for path, operation in _operations(spec):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _never_null(parameter["schema"])
        for media_type in EXPORTS.get(operation.get("operationId", ""), ()):
            content = operation["responses"]["200"]["content"]
            content[media_type] = {"schema": {"type": "string"}}
        for status, response in operation["responses"].items():
            headers = response.setdefault("headers", {})
            headers["X-Request-Id"] = _header("Names this request in the logs.")
            if status == "201":
                headers["Location"] = _header("Where it is found from now on.")
            if status == "401" and path.startswith("/v1"):
                headers["WWW-Authenticate"] = _header("A Bearer challenge (RFC 6750 §3).")
            if status in ("429", "503"):
                headers["Retry-After"] = _header("Seconds to wait before the next try.")
    return spec


def _operations(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in spec["paths"].items():
        for operation in item.values():
            yield path, operation


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not; only a body can say null."""
    kept = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(kept) != 1:
        return schema
    return {
        name: value
        for name, value in (schema | kept[0]).items()
        if name != "anyOf" and not (name == "default" and value is None)
    }
