"""The scopes of administration (CONTRACT §3): in every catalogue, declared by nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keyturn.scope import Declared

CLIENTS_READ = "keyturn:clients:read"
CLIENTS_WRITE = "keyturn:clients:write"
KEYS_READ = "keyturn:keys:read"
KEYS_WRITE = "keyturn:keys:write"
SCOPES_READ = "keyturn:scopes:read"
SCOPES_WRITE = "keyturn:scopes:write"
USERS_READ = "keyturn:users:read"
USERS_WRITE = "keyturn:users:write"
ORGANIZATIONS_READ = "keyturn:organizations:read"
ORGANIZATIONS_WRITE = "keyturn:organizations:write"
SIGNING_KEYS_READ = "keyturn:signing-keys:read"
SIGNING_KEYS_WRITE = "keyturn:signing-keys:write"
AUDIT_READ = "keyturn:audit:read"
USAGE_READ = "keyturn:usage:read"
INTROSPECT = "keyturn:introspect"
ACT_AS_ORGANIZATION = "keyturn:act-as-organization"

MANAGEMENT = "management"
"""The class of all routes of the management API."""
TOKEN_CLASS = "keyturn:token"  # noqa: S105 - a class of routes
INTROSPECT_CLASS = "keyturn:introspect"
REVOKE_CLASS = "keyturn:revoke"
INTROSPECTED_CLASS = "keyturn:introspected"
"""Where uses at the OAuth endpoints are counted, the last one for the credential that was asked
about. No class of a resource server has a ``:``."""

CLASS_LIMITS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "experiencelocal": (
        {"class": "widget", "limit": 100, "window": "minute"},
        {"class": "booking", "limit": 30, "window": "minute"},
        {"class": "booking", "limit": 100, "window": "day"},
        {"class": "validation", "limit": 60, "window": "minute"},
    ),
}
"""Limits of a class where neither key nor plan has any, by profile (S2-60..62)."""

NAMESPACE = "keyturn:"
"""Reserved: no organization declares a scope below it, or implies one."""

_EVERYWHERE = {
    CLIENTS_READ: "Read clients and their secrets' metadata",
    CLIENTS_WRITE: "Register, change and remove clients and their secrets",
    KEYS_READ: "Read API keys' metadata",
    KEYS_WRITE: "Create, change and revoke API keys",
    SCOPES_READ: "Read the scope catalogue, presets and resources",
    SCOPES_WRITE: "Change the scope catalogue, presets and resources",
    USERS_READ: "Read the organization's users",
    USERS_WRITE: "Invite, change and remove the organization's users",
    AUDIT_READ: "Read the activity log",
    USAGE_READ: "Read usage and limits",
    INTROSPECT: "Introspect the organization's tokens and API keys (RFC 7662)",
}

_OPERATOR_ONLY = {
    ORGANIZATIONS_READ: "Read every organization and the plans",
    ORGANIZATIONS_WRITE: "Create, change and suspend organizations and plans",
    SIGNING_KEYS_READ: "Read the signing keys' metadata",
    SIGNING_KEYS_WRITE: "Rotate and retire signing keys",
    ACT_AS_ORGANIZATION: "Act for another organization by naming it",
}


def administration(*, operator: bool) -> Mapping[str, Declared]:
    """The scopes of administration that an organization's credentials can hold."""
    names = _EVERYWHERE | _OPERATOR_ONLY if operator else _EVERYWHERE
    return {name: Declared(name, description) for name, description in names.items()}
