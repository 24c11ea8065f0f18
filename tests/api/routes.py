"""Every route of the management API: what it takes, what it needs, what it answers."""

from typing import Any, NamedTuple


class Route(NamedTuple):
    """``path`` and the strings in ``body`` hold the variables of ``things``."""

    method: str
    path: str
    scope: str | None
    status: int
    body: dict[str, Any] | None = None
    operator_only: bool = False
    also: str | None = None
    """Another scope that it needs."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def url(self, things: dict[str, Any]) -> str:
        return "/v1" + self.path.format_map(things)

    def sent(self, things: dict[str, Any]) -> dict[str, Any]:
        """What is sent, as arguments of the request."""
        if self.body is None:
            return {}
        return {
            "json": {
                name: value.format_map(things) if isinstance(value, str) else value
                for name, value in self.body.items()
            }
        }

    @property
    def names_an_object(self) -> bool:
        return "{" in self.path


CLIENTS_READ, CLIENTS_WRITE = "keyturn:clients:read", "keyturn:clients:write"
KEYS_READ, KEYS_WRITE = "keyturn:keys:read", "keyturn:keys:write"
SCOPES_READ, SCOPES_WRITE = "keyturn:scopes:read", "keyturn:scopes:write"
USERS_READ, USERS_WRITE = "keyturn:users:read", "keyturn:users:write"
ORGS_READ, ORGS_WRITE = "keyturn:organizations:read", "keyturn:organizations:write"
SIGNING_READ, SIGNING_WRITE = "keyturn:signing-keys:read", "keyturn:signing-keys:write"

SECRETS = "/clients/{client_id}/secrets"
USAGE_REPORT = {
    "id": "report-{number}-0123456789",
    "entries": [{"credential_id": "key_x", "bucket": "2026-01-01T00:00:00Z", "count": 1}],
}

ROUTES = [
    Route("GET", "/me", None, 200),
    Route("GET", "/clients", CLIENTS_READ, 200),
    Route("POST", "/clients", CLIENTS_WRITE, 201, {"name": "c", "scopes": []}),
    Route("GET", "/clients/{client_id}", CLIENTS_READ, 200),
    Route("PATCH", "/clients/{client_id}", CLIENTS_WRITE, 200, {"name": "other"}),
    Route("DELETE", "/clients/{client_id}", CLIENTS_WRITE, 204),
    Route("GET", SECRETS, CLIENTS_READ, 200),
    Route("POST", SECRETS, CLIENTS_WRITE, 201, {"note": "n"}),
    Route("GET", SECRETS + "/{secret_id}", CLIENTS_READ, 200),
    Route("DELETE", SECRETS + "/{secret_id}", CLIENTS_WRITE, 204),
    Route("GET", "/api-keys", KEYS_READ, 200),
    Route("POST", "/api-keys", KEYS_WRITE, 201, {"name": "k", "scopes": []}),
    Route("GET", "/api-keys/{key_id}", KEYS_READ, 200),
    Route("PATCH", "/api-keys/{key_id}", KEYS_WRITE, 200, {"name": "other"}),
    Route("POST", "/api-keys/{key_id}/rotate", KEYS_WRITE, 201, {}),
    Route("POST", "/api-keys/{key_id}/replace", KEYS_WRITE, 201, {}),
    Route("POST", "/api-keys/revoke", KEYS_WRITE, 200, {"created_by": "usr_nobody"}),
    Route("POST", "/api-keys/inspect", KEYS_READ, 200, {"key": "kt_live_cut"}),
    Route("POST", "/api-keys/verify", "keyturn:introspect", 200, {"key": "kt_live_cut"}),
    Route("DELETE", "/api-keys/{key_id}", KEYS_WRITE, 204),
    Route("POST", "/leases", "keyturn:introspect", 200, {"credential_id": "{key_id}"}),
    Route("GET", "/key-policy", KEYS_READ, 200),
    Route("PATCH", "/key-policy", KEYS_WRITE, 200, {"rotate_after_days": 90}),
    Route("GET", "/scopes", SCOPES_READ, 200),
    Route("POST", "/scopes", SCOPES_WRITE, 201, {"name": "new:{number}"}),
    Route("GET", "/scopes/{scope_name}", SCOPES_READ, 200),
    Route("PATCH", "/scopes/{scope_name}", SCOPES_WRITE, 200, {"description": "other"}),
    Route("DELETE", "/scopes/{scope_name}", SCOPES_WRITE, 204),
    Route("GET", "/presets", SCOPES_READ, 200),
    Route(
        "POST",
        "/presets",
        SCOPES_WRITE,
        201,
        {"name": "new-{number}", "scopes": ["keyturn:audit:read"]},
    ),
    Route("GET", "/presets/{preset}", SCOPES_READ, 200),
    Route("PATCH", "/presets/{preset}", SCOPES_WRITE, 200, {"description": "other"}),
    Route("DELETE", "/presets/{preset}", SCOPES_WRITE, 204),
    Route("GET", "/resources", SCOPES_READ, 200),
    Route("POST", "/resources", SCOPES_WRITE, 201, {"identifier": "https://new-{number}.example"}),
    Route("GET", "/resources/{resource_id}", SCOPES_READ, 200),
    Route("PATCH", "/resources/{resource_id}", SCOPES_WRITE, 200, {"name": "other"}),
    Route("DELETE", "/resources/{resource_id}", SCOPES_WRITE, 204),
    Route("GET", "/profile", "keyturn:introspect", 200),
    Route("GET", "/users", USERS_READ, 200),
    Route(
        "POST", "/users", USERS_WRITE, 201, {"email": "new{number}@example.com", "role": "auditor"}
    ),
    Route("GET", "/users/{user_id}", USERS_READ, 200),
    Route("PATCH", "/users/{user_id}", USERS_WRITE, 200, {"name": "other"}),
    Route("DELETE", "/users/{user_id}", USERS_WRITE, 204),
    Route("POST", "/users/{user_id}/reset", USERS_WRITE, 200),
    Route("DELETE", "/users/{user_id}/sessions", USERS_WRITE, 200),
    Route("GET", "/users/{user_id}/credentials", KEYS_READ, 200, also=CLIENTS_READ),
    Route(
        "POST",
        "/users/{user_id}/credentials/revoke",
        KEYS_WRITE,
        200,
        {"reason": "employee_left"},
        also=CLIENTS_WRITE,
    ),
    Route("GET", "/activity", "keyturn:audit:read", 200),
    Route("GET", "/usage", "keyturn:usage:read", 200),
    Route("GET", "/usage/networks", "keyturn:usage:read", 200),
    Route("GET", "/usage/scopes", "keyturn:usage:read", 200),
    Route("GET", "/usage/plan", "keyturn:usage:read", 200),
    Route("GET", "/usage/requests", "keyturn:usage:read", 200),
    Route("POST", "/usage/reports", "keyturn:introspect", 200, USAGE_REPORT),
    Route("GET", "/organizations", ORGS_READ, 200, operator_only=True),
    Route("POST", "/organizations", ORGS_WRITE, 201, {"name": "new {number}"}, operator_only=True),
    Route("GET", "/organizations/{organization_id}", ORGS_READ, 200, operator_only=True),
    Route(
        "PATCH",
        "/organizations/{organization_id}",
        ORGS_WRITE,
        200,
        {"profile": "problem+json"},
        operator_only=True,
    ),
    Route("GET", "/plans", ORGS_READ, 200, operator_only=True),
    Route("POST", "/plans", ORGS_WRITE, 201, {"name": "new {number}"}, operator_only=True),
    Route("GET", "/plans/{plan_id}", ORGS_READ, 200, operator_only=True),
    Route("PATCH", "/plans/{plan_id}", ORGS_WRITE, 200, {"max_active_keys": 5}, operator_only=True),
    Route("DELETE", "/plans/{plan_id}", ORGS_WRITE, 204, operator_only=True),
    Route("GET", "/signing-keys", SIGNING_READ, 200, operator_only=True),
    Route("POST", "/signing-keys/rotate", SIGNING_WRITE, 200, {"force": True}, operator_only=True),
    Route("DELETE", "/signing-keys/{kid}", SIGNING_WRITE, 404, operator_only=True),
]
"""``scope`` None: any credential. The kid of ``things`` is no key's: nothing may be retired in
passing."""
