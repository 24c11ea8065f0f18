"""The public keys by which a client authenticates: its JWK Set, or the address of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.admin import fields
from app.admin.advice import ADVICE
from app.admin.desk import Desk
from app.admin.findings import Finding, passed, warned
from app.crypto.client_keys import holds_private_key, read_client_keys, read_published_keys
from app.errors import Invalid
from app.settings import PREFIX
from app.storage import clients
from app.storage.outside import OutsideRefused, fetch
from keyturn.wire import Unreadable, json_object

METHOD = "private_key_jwt"
MAX_JWKS = 16 * 1024
"""Characters of JSON."""
MAX_URI = 512
EXAMINED = 20
"""Addresses that are asked when somebody wants to know."""


def read_keys(method: str, jwks: Mapping[str, Any] | None, jwks_uri: str | None) -> dict[str, Any]:
    """The columns of a client that authenticates so. Raises Invalid.

    A client that signs has one of the two; any other has neither.
    """
    if method != METHOD:
        for field, value in (("jwks", jwks), ("jwks_uri", jwks_uri)):
            if value is not None:
                raise Invalid(f"Only for a client of {METHOD}", field=field)
        return {"jwks": None, "jwks_uri": None}
    if (jwks is None) == (jwks_uri is None):
        raise Invalid(f"{METHOD} needs jwks or jwks_uri, one of them", field="jwks")
    if jwks is not None:
        _check(jwks)
    if jwks_uri is not None:
        jwks_uri = fields.https_url(jwks_uri, "jwks_uri", MAX_URI)
    return {"jwks": jwks, "jwks_uri": jwks_uri}


def _check(jwks: Mapping[str, Any]) -> None:
    if len(json.dumps(jwks)) > MAX_JWKS:
        raise Invalid(f"jwks must have at most {MAX_JWKS} characters", field="jwks")
    if holds_private_key(jwks):
        raise Invalid(
            "jwks holds a private key: it is the client's alone. Make another one, and register "
            "the public half",
            field="jwks",
        )
    try:
        keys = read_client_keys(jwks).keys
    except Unreadable as error:
        raise Invalid(f"jwks: {error.description}", field="jwks") from None
    if not keys:
        raise Invalid(
            "jwks has no key for signatures: EC P-256, Ed25519, or RSA of 2048 bits or more",
            field="jwks",
        )
    named = [key.kid for key in keys if key.kid is not None]
    if len(set(named)) != len(named):
        raise Invalid("jwks has two keys of one kid", field="jwks")


def examine(desk: Desk) -> Iterator[Finding]:
    """Of each client whose keys lie elsewhere: whether they can be had. Raises Unavailable."""
    with desk.store.reading() as session:
        named = clients.with_jwks_uri(session, EXAMINED)
    missing = 0
    for client_id, uri in named:
        try:
            found = read_published_keys(json_object(fetch(uri, desk.settings.jwks_networks)))
            wrong = "" if found.keys else found.refused or "no key for signatures"
        except OutsideRefused as refused:
            wrong = str(refused)
        except Unreadable:
            wrong = "no JWK Set"
        if wrong:
            missing += 1
            yield warned(
                "client keys",
                f"{client_id} cannot authenticate: {wrong} at {fields.without_userinfo(uri)}",
                ADVICE.get(wrong)
                or "its owner must offer its keys there by https; for a private address name the "
                f"network in {PREFIX}JWKS_NETWORKS",
            )
    if named and not missing:
        yield passed("client keys", f"{len(named)} jwks_uri can be read")
