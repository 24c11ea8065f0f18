"""What people may do: a role is a grant of scopes of administration."""

from __future__ import annotations

from collections.abc import Mapping

from app.builtin import (
    AUDIT_READ,
    CLIENTS_READ,
    CLIENTS_WRITE,
    KEYS_READ,
    KEYS_WRITE,
    SCOPES_READ,
    SCOPES_WRITE,
    USAGE_READ,
    USERS_READ,
    USERS_WRITE,
)
from keyturn.scope import Grant

OWNER = "owner"

_AUDITING = {CLIENTS_READ, KEYS_READ, SCOPES_READ, USERS_READ, AUDIT_READ, USAGE_READ}
_DEVELOPING = {
    CLIENTS_READ,
    CLIENTS_WRITE,
    KEYS_READ,
    KEYS_WRITE,
    SCOPES_READ,
    AUDIT_READ,
    USAGE_READ,
}

ROLES: Mapping[str, Grant] = {
    OWNER: Grant.of({"keyturn:*"}),
    "admin": Grant.of(_DEVELOPING | _AUDITING | {SCOPES_WRITE, USERS_WRITE}),
    "developer": Grant.of(_DEVELOPING),
    "auditor": Grant.of(_AUDITING),
    "member": Grant.of({SCOPES_READ}),
}
"""By name, the mightiest first."""

ABOUT: Mapping[str, str] = {
    OWNER: "everything, people and the installation included",
    "admin": "everything but what only owners hold: may look after people below them",
    "developer": "clients and API keys; sees scopes, usage and activity",
    "auditor": "sees everything, changes nothing",
    "member": "sees the scopes there are; no key and no client",
}
