"""``/v1/api-keys/inspect``: why does this key not work? (S1-25, S2-73)"""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from pydantic import Field, WithJsonSchema

from app.apikeys import inspection
from app.builtin import KEYS_READ
from app.web.api.answers import answer, shown
from app.web.api.api_keys import ApiKey
from app.web.api.caller import actor, desk
from app.web.api.documented import WRITES, collection, gives, needs
from app.web.api.values import Answer, Body, Environment, Scopes, example

blueprint = collection("inspection", "Why a key does not work", "api-keys/inspect")


Policy = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "title": "Route policy",
            "description": "`GET /bookings/{id}` and what it asks: null is public, scopes in a "
            "string are all needed, of a list one is enough.",
        }
    ),
]


class Inspecting(Body):
    """A key, and the request in which it shall work; what is not named is not asked."""

    model_config = example(key="kt_live_…", ip="192.0.2.1", scopes=["bookings:read"])

    key: Annotated[str, Field(min_length=1, max_length=inspection.MAX_LENGTH)] = Field(
        description="As it would be sent behind `Bearer `."
    )
    ip: Annotated[str, Field(max_length=64)] | None = None
    origin: Annotated[str, Field(max_length=300)] | None = Field(
        None, description="As browsers send it: `https://shop.example.com`."
    )
    environment: Environment | None = Field(None, description="That of the API.")
    scopes: Scopes = Field([], description="Those that the route needs.")
    route: Annotated[str, Field(max_length=512)] | None = Field(
        None,
        description="In place of scopes: a request, as `GET /bookings/7`, and in `policy` "
        "what each route asks.",
    )
    policy: Policy | None = None


class Check(Answer):
    """One rule: whether it lets the key through (null: not asked), and what to do if not."""

    rule: str
    passed: bool | None
    says: str


class Inspection(Answer):
    """Every rule in the order in which a request meets them."""

    passed: bool
    checks: list[Check]
    api_key: ApiKey | None = Field(description="Where the key is known, and yours to see.")


@blueprint.post("", security=needs(KEYS_READ), responses=gives(200, Inspection, WRITES))
def inspect_api_key(body: Inspecting) -> Response:
    """Say which rule blocks an API key"""
    asked = body.named()
    found = inspection.inspect(desk(), actor(), asked.pop("key"), inspection.Situation(**asked))
    key = None if found.api_key is None else shown(ApiKey, found.api_key)
    return answer(shown(Inspection, found, api_key=key))
