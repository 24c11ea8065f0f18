"""Malformed requests: each a 4xx with a reason, in bounded time, and nothing made."""

import json

import pytest

from tests.api.routes import ROUTES
from tests.api.support import fields_of

JSON = {"Content-Type": "application/json"}
WITH_BODY = [r for r in ROUTES if r.body is not None]
SILENT = (
    "/signing-keys/rotate",
    "/api-keys/{key_id}/rotate",
    "/api-keys/{key_id}/replace",
    "/clients/{client_id}/secrets",
)
GOOD = b'{"name": "x", "scopes": []}'


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"not json", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"null", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b'"{\\"name\\": \\"x\\"}"', 400, "invalid_json"),
        (b"1", 400, "invalid_json"),
        (b"true", 400, "invalid_json"),
        (b"{'name': 'x'}", 400, "invalid_json"),
        (b'{"name": "x", "name": "y"}', 400, "invalid_json"),
        (b'{"name": "x", "scopes": [{"a": 1, "a": 2}]}', 400, "invalid_json"),
        (b'{"name": "x"} {}', 400, "invalid_json"),
        (b'{"name": "x",}', 400, "invalid_json"),
        (b'{"name": "x", "token_ttl": NaN}', 400, "invalid_json"),
        (b'{"name": "x", "token_ttl": Infinity}', 400, "invalid_json"),
        (b'{"name": "x", "token_ttl": 1e999}', 400, "invalid"),
        (b'{"name": "x", "token_ttl": ' + b"9" * 5000 + b"}", 400, "invalid_json"),
        (b'{"name": "\xff\xfe"}', 400, "invalid_json"),
        (b'{"name": "\xed\xa0\x80"}', 400, "invalid_json"),
        (b'\xef\xbb\xbf{"name": "x"}', 400, "invalid_json"),
        (json.dumps({"name": "x"}).encode("utf-16"), 400, "invalid_json"),
        (b'{"name": "\x00"}', 400, "invalid_json"),
        (b"[" * 30000, 400, "invalid_json"),
        (b'{"a":' * 10000, 400, "invalid_json"),
        (b'{"name": "' + b"x" * 70000 + b'"}', 413, "too_large"),
        (b'{"' + b"x" * 60000 + b'": 1}', 400, "invalid"),
        (b"{" + b",".join(b'"f%d": 1' % n for n in range(5000)) + b"}", 400, "invalid"),
        (b'{"\\ud800": 1}', 400, "invalid"),
    ],
    ids=lambda value: repr(value)[:30],
)
@pytest.mark.parametrize("route", WITH_BODY, ids=str)
def test_what_is_no_body(route, content, status, code, operator, things):
    url = route.url(things(operator.organization_id))
    response = operator.admin(route.method, url, content=content, headers=JSON)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert len(response.content) < 4096
    assert "Traceback" not in response.text


@pytest.mark.parametrize("route", [r for r in WITH_BODY if r.path not in SILENT], ids=str)
def test_no_body_at_all(route, operator, things):
    url = route.url(things(operator.organization_id))
    for also in ({}, {"content": b"", "headers": JSON}):
        response = operator.admin(route.method, url, **also)
        assert response.status_code == 400
        assert fields_of(response) == ["body"]


@pytest.mark.parametrize("route", [r for r in WITH_BODY if r.path in SILENT], ids=str)
def test_where_nothing_need_be_said(route, operator, things):
    for also in ({}, {"json": {}}, {"content": b"", "headers": JSON}):
        url = route.url(things(operator.organization_id))
        # 409: a signing key that was made a moment ago does not sign yet.
        assert operator.admin(route.method, url, **also).status_code in (route.status, 409)


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ('application/json; charset="UTF-8"', 201),
        ("Application/JSON", 201),
        ("application/json; charset=latin-1", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("text/plain", 415),
        ("text/json", 415),
        ("application/problem+json", 415),
        ("application/json, text/plain", 415),
        ("", 415),
    ],
)
def test_media_types(operator, media_type, status):
    headers = {"Content-Type": media_type}
    response = operator.admin.post("/v1/clients", content=GOOD, headers=headers)
    assert response.status_code == status
    if status == 415:
        assert response.json()["error"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": None}, "name"),
        ({"name": 1}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "\u202egnp.exe"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"description": "x" * 1001}, "description"),
        ({"description": None}, "description"),
        ({"organization_id": "x" * 65}, "organization_id"),
        ({"organization_id": "a b"}, "organization_id"),
        ({"environment": "staging"}, "environment"),
        ({"environment": "../live"}, "environment"),
        ({"environment": "x" * 200}, "environment"),
        ({"scopes": "bookings:read"}, "scopes"),
        ({"scopes": {"0": "bookings:read"}}, "scopes"),
        ({"scopes": [1]}, "scopes.0"),
        ({"scopes": [""]}, "scopes.0"),
        ({"scopes": ["x" * 129]}, "scopes.0"),
        ({"scopes": ["a"] * 257}, "scopes"),
        ({"scopes": None}, "scopes"),
        ({"scopes": [], "preset": "x"}, "preset"),
        ({"preset": "no-such", "scopes": None}, "preset"),
        ({"preset": "a/b", "scopes": None}, "preset"),
        ({"audiences": ["https://unknown.example"]}, "audiences"),
        ({"audiences": ["x" * 513]}, "audiences.0"),
        ({"audiences": ["https://x.example"] * 51}, "audiences"),
        ({"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": ""}, "token_endpoint_auth_method"),
        ({"token_ttl": "900"}, "token_ttl"),
        ({"token_ttl": 900.0}, "token_ttl"),
        ({"token_ttl": True}, "token_ttl"),
        ({"token_ttl": 0}, "token_ttl"),
        ({"token_ttl": -1}, "token_ttl"),
        ({"token_ttl": 10**12}, "token_ttl"),
        ({"secret_expires_at": "tomorrow"}, "secret_expires_at"),
        ({"secret_expires_at": 1900000000}, "secret_expires_at"),
        ({"secret_expires_at": "2090-01-01"}, "secret_expires_at"),
        ({"secret_expires_at": "2090-01-01T00:00:00"}, "secret_expires_at"),
        ({"secret_expires_at": "2090-02-30T00:00:00Z"}, "secret_expires_at"),
        ({"secret_expires_at": "9999-12-31T23:59:59-01:00"}, "secret_expires_at"),
        ({"secret_expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_clients_fields(operator, body, field):
    full = {"name": "x", "scopes": []} | body if body else {}
    response = operator.admin.post("/v1/clients", content=json.dumps(full), headers=JSON)
    assert response.status_code == 400
    assert field in fields_of(response)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"mode": "live", "environment": "live"}, 400, "mode"),
        ({"mode": "staging"}, 400, "environment"),
        ({"expires_in": 1, "expires_at": "2090-01-01T00:00:00Z"}, 400, "expires_in"),
        ({"expires_in": 0}, 400, "expires_in"),
        ({"expires_in": -5}, 400, "expires_in"),
        ({"expires_in": 10**15}, 400, "expires_in"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400, "expires_at"),
        ({"kind": "root"}, 400, "kind"),
        ({"kind": "publishable"}, 400, "allowed_domains"),
        ({"allowed_ips": ["10.0.0.1/8"]}, 400, "allowed_ips"),
        ({"allowed_ips": ["10.0.0.0/33"]}, 400, "allowed_ips"),
        ({"allowed_ips": ["localhost"]}, 400, "allowed_ips"),
        ({"allowed_ips": ["x" * 65]}, 400, "allowed_ips.0"),
        ({"allowed_ips": ["10.0.0.1"] * 101}, 400, "allowed_ips"),
        ({"allowed_domains": ["*"]}, 400, "allowed_domains"),
        ({"allowed_domains": ["https://example.com"]}, 400, "allowed_domains"),
        ({"allowed_domains": ["*.com"]}, 400, "allowed_domains"),
        ({"rate_limits": [{"limit": 0, "window": "minute"}]}, 400, "rate_limits.0.limit"),
        ({"rate_limits": [{"limit": 5, "window": "fortnight"}]}, 400, "rate_limits"),
        ({"rate_limits": [{"limit": 5}]}, 400, "rate_limits.0.window"),
        ({"rate_limits": ["5/minute"]}, 400, "rate_limits.0"),
        (
            {"rate_limits": [{"limit": 5, "window": "minute", "burst": 1}]},
            400,
            "rate_limits.0.burst",
        ),
        (
            {"rate_limits": [{"limit": 5, "window": "minute", "class": "A B"}]},
            400,
            "rate_limits",
        ),
        ({"rate_limits": [{"limit": 1, "window": "day"}] * 33}, 400, "rate_limits"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_api_keys_fields(operator, body, status, field):
    response = operator.admin.post("/v1/api-keys", json={"name": "x", "scopes": []} | body)
    assert response.status_code == status
    assert field in fields_of(response)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/scopes", {"name": "keyturn:mine"}, "name"),
        ("/v1/scopes", {"name": "a:*"}, "name"),
        ("/v1/scopes", {"name": "a b"}, "name"),
        ("/v1/scopes", {"name": "a::b"}, "name"),
        ("/v1/scopes", {"name": "ok:now", "implies": ["no:such"]}, "implies"),
        ("/v1/scopes", {"name": "ok:now", "public": "yes"}, "public"),
        ("/v1/presets", {"name": "../x", "scopes": ["bookings:read"]}, "name"),
        ("/v1/presets", {"name": "empty", "scopes": []}, "scopes"),
        ("/v1/resources", {"identifier": "api.example.com"}, "identifier"),
        ("/v1/resources", {"identifier": "https://a.example/#x"}, "identifier"),
        ("/v1/resources", {"identifier": "https://u:p@a.example"}, "identifier"),
        (
            "/v1/resources",
            {"identifier": "https://a.example", "environments": ["x"]},
            "environments",
        ),
        ("/v1/users", {"email": "nobody", "role": "auditor"}, "email"),
        ("/v1/users", {"email": "a@example.com\nBcc: b@example.com", "role": "auditor"}, "email"),
        ("/v1/users", {"email": "a@example.com", "role": "root"}, "role"),
        ("/v1/organizations", {"name": "x", "environments": []}, "environments"),
        ("/v1/organizations", {"name": "x", "plan_id": "no-such"}, "plan_id"),
        ("/v1/organizations", {"name": "x", "profile": "html"}, "profile"),
        ("/v1/organizations", {"name": "x", "key_template": {"length": 4}}, "key_template"),
        ("/v1/organizations", {"name": "x", "key_template": {"salt": "x"}}, "key_template.salt"),
        ("/v1/plans", {"name": "x", "max_active_keys": -1}, "max_active_keys"),
        ("/v1/plans", {"name": "x", "custom_key_limits": "true"}, "custom_key_limits"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_other_fields(operator, path, body, field):
    before = operator.admin.get(path).json()
    response = operator.admin.post(path, json=body)
    assert response.status_code == 400
    assert field in fields_of(response)
    assert operator.admin.get(path).json() == before


def test_refusals_do_not_repeat_what_was_sent(operator):
    secret = "kt_live_" + "s3cret" * 6
    for body in ({"name": [secret]}, {"name": "x", "scopes": [], "preset": secret + "/"}):
        response = operator.admin.post("/v1/clients", json=body)
        assert response.status_code == 400
        assert secret not in response.text


@pytest.mark.parametrize("path", ["/v1/organizations", "/v1/plans"])
def test_names_are_taken_once(operator, path):
    assert operator.admin.post(path, json={"name": "taken"}).status_code == 201
    response = operator.admin.post(path, json={"name": "taken"})
    assert (response.status_code, fields_of(response)) == (409, ["name"])


def test_a_body_where_none_is_due_is_not_read(operator):
    response = operator.admin("GET", "/v1/me", content=b"{" * 100, headers=JSON)
    assert response.status_code == 200
