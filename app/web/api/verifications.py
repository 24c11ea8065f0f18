"""``/v1/api-keys/verify``: may this key do this? For APIs without the library (CONTRACT §6)."""

from __future__ import annotations

from typing import Annotated

from flask import Response, current_app
from pydantic import Field

from app.admin import profiles
from app.apikeys import lifecycle
from app.builtin import INTROSPECT
from app.oauth.credentials import MAX_LENGTH
from app.oauth.verification import Use
from app.web.api.answers import answer, shown
from app.web.api.api_keys import ApiKey
from app.web.api.caller import actor, desk
from app.web.api.documented import WRITES, collection, gives, needs
from app.web.api.values import Answer, Body, Environment, Identifier, Scopes, example
from app.wiring import services
from keyturn.limits.values import Usage

blueprint = collection("verification", "Whether a key may do what it asks", "api-keys/verify")


class Verifying(Body):
    """A key as it was presented to an API, and the request that it came with."""

    model_config = example(key="kt_live_…", scopes=["bookings:read"], ip="192.0.2.1")

    key: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)] = Field(
        description="As it stood behind `Bearer `."
    )
    scopes: Scopes = Field([], description="Those that the route needs.")
    ip: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="The caller's address. A key bound to addresses is refused without."
    )
    origin: Annotated[str, Field(max_length=300)] | None = Field(
        None, description="The caller's `Origin` header."
    )
    environment: Environment | None = Field(None, description="That of the API; null: any.")
    route_class: Annotated[str, Field(max_length=32)] = Field(
        "", description="Whose limits count, as `booking`."
    )
    resource: Identifier | None = Field(
        None, description="The API's identifier: `profile` says how its errors read."
    )
    cost: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        1, description="How much of the limits it uses; 0: none, it is only asked."
    )


class LimitState(Answer):
    """A limit that holds, and what is left of it."""

    limit: int
    window: str
    remaining: int
    resets_in: int = Field(description="Seconds.")


class Verdict(Answer):
    """Always 200: the answer is in ``valid``."""

    valid: bool
    reason: str | None = Field(
        description="Null, or `unknown`, `revoked`, `rotated`, `expired`, `disabled`, "
        "`environment_mismatch`, `ip_not_allowed`, `origin_mismatch`, `rate_limited`, "
        "`insufficient_scope`; anything but `unknown` for a whole key alone."
    )
    key: ApiKey | None = Field(description="Whose it is, where the whole key was right.")
    limits: list[LimitState] = Field(description="The shortest window first.")
    profile: str = Field(description="How the asker's refusal should read.")


@blueprint.post("", security=needs(INTROSPECT), responses=gives(200, Verdict, WRITES))
def verify_api_key(body: Verifying) -> Response:
    """Say whether an API key may do this, and count it"""
    asked = body.named()
    presented, resource = asked.pop("key"), asked.pop("resource", None)
    found = services(current_app).verification.verify(actor(), presented, Use(**asked))
    key = None
    if found.key is not None:
        key = shown(ApiKey, lifecycle.seen(desk(), found.key.organization_id, found.key.id))
    return answer(
        Verdict(
            valid=found.reason is None,
            reason=found.reason,
            key=key,
            limits=[_state(usage) for usage in found.limits],
            profile=profiles.chosen(desk(), actor(), resource).profile,
        )
    )


def _state(usage: Usage) -> LimitState:
    return LimitState(
        limit=usage.limit.amount,
        window=usage.limit.window,
        remaining=usage.remaining,
        resets_in=usage.resets_in,
    )
