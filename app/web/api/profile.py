"""``/v1/profile``: how errors read at the API that asks (``docs/api-keys.md``)."""

from __future__ import annotations

from flask import Response
from pydantic import Field

from app.admin import profiles
from app.builtin import INTROSPECT
from app.web.api.answers import answer, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import collection, gives, needs
from app.web.api.values import Answer, Identifier, Query

blueprint = collection("profile", "How errors read at an API")


class OfApi(Query):
    """Which API."""

    resource: Identifier | None = Field(
        None, description="Its identifier, as its resource is declared."
    )


class Profile(Answer):
    """A presentation profile, and who has chosen it."""

    profile: str
    source: str = Field(description="`resource` or `organization`.")


@blueprint.get("", security=needs(INTROSPECT), responses=gives(200, Profile))
def show_profile(query: OfApi) -> Response:
    """Show how errors read at an API of one's own"""
    return answer(shown(Profile, profiles.chosen(desk(), actor(), query.resource)))
