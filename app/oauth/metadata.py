"""The authorization server's metadata (RFC 8414), computed from what is really enabled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from app.storage.statuses import STATUS_LISTS

TOKEN = "/oauth/token"  # noqa: S105 - a path
INTROSPECT = "/oauth/introspect"
REVOKE = "/oauth/revoke"
AUTHORIZE = "/oauth/authorize"
JWKS = "/.well-known/jwks.json"
METADATA = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


def metadata(
    issuer: str,
    *,
    grant_types: Iterable[str],
    auth_methods: Iterable[str],
    signing_algorithms: Iterable[str],
) -> dict[str, Any]:
    """The document. Raises ValueError where it would not be valid: that is a bug of ours."""
    methods, algorithms = list(auth_methods), list(signing_algorithms)
    document = {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "jwks_uri": issuer + JWKS,
        "introspection_endpoint": issuer + INTROSPECT,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": issuer + REVOKE,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        # draft-ietf-oauth-status-list §9.1
        "status_list_aggregation_endpoint": issuer + STATUS_LISTS,
        "grant_types_supported": list(grant_types),
        # No user ever signs in, but clients exist that refuse metadata without these two. `none`
        # is the registered response type that returns neither a code nor a token.
        "authorization_endpoint": issuer + AUTHORIZE,
        "response_types_supported": ["none"],
        "service_documentation": issuer + "/docs",
    }
    AuthorizationServerMetadata(document).validate()
    return document
