"""Text that databases choke on: each kind of database gets it, and none answers with a 500."""

import json

import pytest

from tests.api.routes import ROUTES
from tests.api.support import Api, Description

ODD = ["\x00", "a\x00b", "\ud800", "\u202e", "'; DROP TABLE clients; --", "%", "\\", "é" * 60]
FILTERS = {
    "/v1/clients": ["organization_id", "status", "environment", "cursor"],
    "/v1/api-keys": ["organization_id", "status", "environment", "kind", "created_by", "cursor"],
    "/v1/scopes": ["organization_id", "builtin", "cursor"],
    "/v1/resources": ["organization_id", "cursor"],
    "/v1/activity": ["type", "actor_id", "target_id", "request_id", "since", "cursor"],
    "/v1/usage/requests": ["credential_id", "method", "route", "ip", "reason", "since", "cursor"],
    "/v1/organizations": ["status", "cursor"],
}


@pytest.fixture
def admin(any_installation):
    description = Description(any_installation.http.get("/v1/openapi.json").json())
    return Api(any_installation, description, any_installation.api_key(["keyturn:*"]).key)


def test_in_bodies(admin, any_installation):
    number = 0
    for route in ROUTES:
        if not route.body or route.names_an_object:
            continue
        operation = admin.description.operation(route.method, "/v1" + route.path)
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        name = schema["$ref"].rpartition("/")[2]
        for field in admin.description.spec["components"]["schemas"][name]["properties"]:
            for text in ODD:
                for value in (text, [text]):
                    number += 1
                    named = {"number": number, "key_id": "key_nobody"}
                    sent = route.sent(named)["json"] | {field: value}
                    response = admin(route.method, "/v1" + route.path, **as_json(sent))
                    assert response.status_code in (route.status, 400, 404, 409), (field, value)


def test_in_the_url(admin, any_installation):
    for path, names in FILTERS.items():
        for name in names:
            for text in ODD:
                if text.isascii():
                    url = f"{path}?{name}={quoted(text)}"
                    assert admin.get(url).status_code in (200, 400, 404), url
    for route in ROUTES:
        for text in ODD:
            if route.names_an_object and text.isascii():
                names = dict.fromkeys(
                    ("client_id", "secret_id", "key_id", "scope_name", "preset", "resource_id",
                     "user_id", "organization_id", "plan_id", "kid"),
                    quoted(text),
                )  # fmt: skip
                response = admin(route.method, route.url(names), **route.sent(names))
                assert response.status_code == 404, (str(route), text)


def quoted(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


def as_json(body):
    return {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}
