"""Read a token as a stranger would: by PyJWT and the published keys, not by our own library."""

from __future__ import annotations

from typing import Any, NamedTuple

import jwt

from tests.support.served import Served


class Read(NamedTuple):
    header: dict[str, Any]
    claims: dict[str, Any]


def read(token: str, server: Served) -> Read:
    """Header and claims of a token whose signature fits a key in the server's JWKS."""
    header = jwt.get_unverified_header(token)
    keys = jwt.PyJWKSet.from_dict(server.get("/.well-known/jwks.json").json())
    key = keys[header["kid"]]
    claims = jwt.decode(token, key.key, algorithms=[header["alg"]], options={"verify_aud": False})
    return Read(header, claims)


def unverified(token: str) -> dict[str, Any]:
    """The claims, unchecked."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims
