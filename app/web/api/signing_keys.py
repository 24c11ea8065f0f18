"""``/v1/signing-keys``: the keys that sign tokens; for the operator's credentials alone."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field

from app.admin import signing_keys
from app.admin.fields import object_id
from app.builtin import SIGNING_KEYS_READ, SIGNING_KEYS_WRITE
from app.web.api.answers import answer, cut, deleted, listed, shown
from app.web.api.caller import actor, desk
from app.web.api.documented import WRITES, collection, gives, needs
from app.web.api.values import (
    Answer,
    Choice,
    Instant,
    Listing,
    OptionalBody,
    PageOf,
    PathId,
    example,
)

blueprint = collection("signing-keys", "The keys that sign tokens; for the operator's credentials")


class SigningKeyPath(BaseModel):
    """One signing key."""

    kid: PathId


class SigningKeyRotation(OptionalBody):
    """What follows the key that signs from now on."""

    model_config = example(required=False, algorithm="ES256", force=True)

    algorithm: Choice | None = Field(
        None, description="`ES256`, `EdDSA` or `RS256`, for the key that is made to follow."
    )
    force: bool = Field(
        False,
        description="Even if verifiers may not know the next key yet: they may refuse new tokens "
        "for up to five minutes.",
    )


class SigningKey(Answer):
    """A signing key: never its private half."""

    kid: str
    algorithm: str
    stage: str
    created_at: Instant
    activated_at: Instant | None
    replaced_at: Instant | None
    retired_at: Instant | None


class SigningKeyPage(PageOf[SigningKey]):
    """Signing keys, the oldest first."""


@blueprint.get("", security=needs(SIGNING_KEYS_READ), responses=gives(200, SigningKeyPage))
def list_signing_keys(query: Listing) -> Response:
    """List signing keys"""
    found = signing_keys.list_all(desk(), actor())
    return listed(SigningKeyPage, cut(found, query, lambda one: one.kid))


@blueprint.post(
    "/rotate", security=needs(SIGNING_KEYS_WRITE), responses=gives(200, SigningKey, WRITES)
)
def rotate_signing_keys(body: SigningKeyRotation) -> Response:
    """Let the next key sign from now on"""
    found = signing_keys.rotate(desk(), actor(), **body.named())
    return answer(shown(SigningKey, found))


@blueprint.delete(
    "/<kid>", security=needs(SIGNING_KEYS_WRITE), responses=gives(204, None, (404, 409))
)
def retire_signing_key(path: SigningKeyPath) -> Response:
    """Refuse from now on what a previous key has signed"""
    signing_keys.retire(desk(), actor(), object_id(path.kid, "signing key"))
    return deleted()
