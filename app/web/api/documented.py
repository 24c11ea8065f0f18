"""What the routes say of themselves, for the OpenAPI description."""

from __future__ import annotations

from collections.abc import Sequence

from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from app.web.api.values import Error

Responses = dict[str | int, type[BaseModel] | dict[str, object] | None]

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
    """The one success, and every refusal, all with the same body."""
    return {status: body, **dict.fromkeys((*_ALWAYS, *refusals), Error)}
