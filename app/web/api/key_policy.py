"""``/v1/key-policy``: what the organization asks of its API keys."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import Field

from app.apikeys import policies
from app.builtin import KEYS_READ, KEYS_WRITE
from app.web.api.answers import answer, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, WRITES, collection, gives, needs
from app.web.api.values import Answer, Body, Choice, OfOrganization, example, unnamed

blueprint = collection("key-policy", "What the organization asks of its API keys")

Days = Annotated[int, Field(ge=1, le=policies.LONGEST)]


class KeyPolicyChanges(Body):
    """What is asked from now on; null: nothing."""

    model_config = example(rotate_after_days=90)

    rotate_after_days: Days | None = unnamed()
    warn_inactive_days: Days | None = unnamed()
    disable_inactive_days: Days | None = unnamed()
    on_leak: Choice | None = unnamed()
    browser_origin: Choice | None = unnamed()
    service_keys: Choice | None = unnamed()


class KeyPolicy(Answer):
    """Days until a key should be rotated, is reported as unused, and is disabled for that; and what
    happens to a leaked one: ``tell``, ``grace`` or ``revoke``, which null is. ``browser_origin``:
    whether a secret key without domains is taken from a browser: ``deny``, or ``allow`` as null.
    ``service_keys``: whether API keys may act for organizations: ``allow``, or ``deny`` as null."""

    rotate_after_days: int | None
    warn_inactive_days: int | None
    disable_inactive_days: int | None
    on_leak: str | None
    browser_origin: str | None
    service_keys: str | None


@blueprint.get("", security=needs(KEYS_READ), responses=gives(200, KeyPolicy, OBJECT))
def show_key_policy(query: OfOrganization) -> Response:
    """Show the policy"""
    found = policies.show(desk(), actor(), organization_id=query.organization_id)
    return answer(shown(KeyPolicy, found))


@blueprint.patch("", security=needs(KEYS_WRITE), responses=gives(200, KeyPolicy, WRITES))
def update_key_policy(query: OfOrganization, body: KeyPolicyChanges) -> Response:
    """Change the policy"""
    changes = policies.KeyPolicyChanges(**body.named())
    found = policies.update(desk(), actor(), changes, organization_id=query.organization_id)
    return answer(shown(KeyPolicy, found))
