"""What the routes say of themselves, for the OpenAPI description."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from app.web.api.values import Error

Responses = dict[str | int, type[BaseModel] | dict[str, Any] | None]

JSON = "application/json"
_ALWAYS = (400, 401, 403, 429, 500, 503)
OBJECT = (404,)
"""Other refusals of a route that names an object."""
WRITES = (404, 409, 413, 415)
"""Other refusals of a route that takes a body."""


def collection(name: str, about: str, path: str | None = None) -> APIBlueprint:
    """The routes of one resource, below ``/v1``."""
    return APIBlueprint(
        name.replace("-", "_"),
        __name__,
        operation_id_callback=_by_name,
        url_prefix="/" + (path or name),
        abp_tags=[Tag(name=name, description=about)],
    )


def _by_name(*, name: str, path: str, method: str) -> str:
    """The view's name: what generated clients call their methods."""
    return name


def needs(*scopes: str) -> list[dict[str, list[str]]]:
    """The scopes that the use case asks for; a test holds this against what it does."""
    return [{"bearer": list(scopes)}, {"oauth2": list(scopes)}]


def gives(status: int, body: type[BaseModel] | None, refusals: Sequence[int] = ()) -> Responses:
    """The one success, and every refusal, all with the same body, whose schema is made once."""
    return {status: body, **{one: refused(one) for one in (*_ALWAYS, *refusals)}}


def refused(status: int, model: type[BaseModel] = Error) -> dict[str, Any]:
    """A refusal, as the description has it."""
    return answers(HTTPStatus(status).phrase, model)


def answers(description: str, model: type[BaseModel], media_type: str = JSON) -> dict[str, Any]:
    """An answer with a body, as the description has it."""
    return {"description": description, "content": {media_type: {"schema": ref(model)}}}


def ref(model: type[BaseModel]) -> dict[str, str]:
    """The name of a schema that `beside.schemas` gives."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}
