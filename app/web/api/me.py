"""``/v1/me``: the credential that asks, as it was understood."""

from __future__ import annotations

from flask import Response
from pydantic import Field

from app.admin.me import me
from app.web.api.answers import answer, shown
from app.web.api.caller import caller, desk
from app.web.api.documented import collection, gives, needs
from app.web.api.values import Answer, Instant

blueprint = collection("me", "The credential that asks")


class OrganizationName(Answer):
    """An organization, by id and name."""

    id: str
    name: str


class Me(Answer):
    """A client or an API key; ``scopes`` are flat and literal."""

    type: str
    id: str
    organization: OrganizationName
    environment: str | None
    scopes: list[str]
    expires_at: Instant | None
    acts_from: str | None = Field(
        description="Of a service credential that acts for this organization: its own one."
    )


@blueprint.get("", security=needs(), responses=gives(200, Me))
def show_me() -> Response:
    """Show who I am; any valid credential may ask"""
    asking = caller()
    return answer(shown(Me, me(desk(), asking.actor, expires_at=asking.expires_at)))
