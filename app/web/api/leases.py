"""``/v1/leases``: permits for an API that counts by itself (``keyturn.limits.leases``)."""

from __future__ import annotations

from typing import Annotated

from flask import Response, current_app
from pydantic import Field

from app.builtin import INTROSPECT
from app.oauth.leases import Wanted
from app.policy.limits import Drawn
from app.web.api.answers import answer
from app.web.api.caller import actor
from app.web.api.documented import WRITES, collection, gives, needs
from app.web.api.values import Answer, Body, Choice, Id, example
from app.wiring import services

MAX_PERMITS = 1_000_000

blueprint = collection("leases", "Limits of a credential, counted by several APIs together")

Permits = Annotated[int, Field(ge=0, le=MAX_PERMITS)]


class Held(Body):
    """Permits of a window that are not used yet."""

    window: Choice
    permits: Permits


class Drawing(Body):
    """Permits that an API would like to hold."""

    model_config = example(credential_id="key_0", route_class="booking", permits=50)

    credential_id: Id = Field(description="A client's, or a key's: the token's `client_id`.")
    route_class: Annotated[str, Field(max_length=32)] = Field(
        "", description="Whose limits count, as `booking`."
    )
    permits: Permits = Field(
        1, description="How many to hold of each window; near its end fewer are given."
    )
    needed: Permits = Field(
        1, description="Fewer are of no use: where they are not there, none are given."
    )
    held: Annotated[list[Held], Field(max_length=16)] = Field(
        [], description="How many it still has."
    )


class LeasedLimit(Answer):
    """A limit that holds, what is left of it, and what was given of it."""

    limit: int
    window: str
    granted: int = Field(description="Good until the window ends, and then void.")
    remaining: int = Field(description="What nobody has drawn yet.")
    resets_in: int = Field(description="Seconds.")


class Lease(Answer):
    """Permits of every limit that holds."""

    limits: list[LeasedLimit] = Field(description="The shortest window first; none: unlimited.")


@blueprint.post("", security=needs(INTROSPECT), responses=gives(200, Lease, WRITES))
def draw_permits(body: Drawing) -> Response:
    """Draw permits of a credential's limits"""
    wanted = Wanted(
        credential_id=body.credential_id,
        route_class=body.route_class,
        permits=body.permits,
        needed=body.needed,
        held={one.window: one.permits for one in body.held},
    )
    drawn = services(current_app).leases.draw(actor(), wanted)
    return answer(Lease(limits=[_shown(one) for one in drawn]))


def _shown(drawn: Drawn) -> LeasedLimit:
    usage = drawn.usage
    return LeasedLimit(
        limit=usage.limit.amount,
        window=usage.limit.window,
        granted=drawn.granted,
        remaining=usage.remaining,
        resets_in=usage.resets_in,
    )
