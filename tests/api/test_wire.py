"""The management API on a real socket: sizes, methods, odd bytes."""

import json

import pytest

KIB = 1024


@pytest.fixture(scope="module")
def key(installation):
    return installation.api_key(["keyturn:*"]).key


def ask(server, key, line, *, body=b"", headers=()):
    """One request by its very bytes; status, headers and body of the answer."""
    lines = [line, "Host: localhost", "Connection: close", *headers]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    answer = server.raw(head, body)
    head, _, content = answer.partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    return int(status.split(" ")[1]), {f.partition(":")[0].lower() for f in fields}, content


def test_the_way_of_a_client(server, key):
    headers = {"Authorization": f"Bearer {key}"}
    made = server.post("/v1/clients", json={"name": "wire", "scopes": []}, headers=headers)
    assert made.status_code == 201
    url = made.headers["Location"]
    assert server.get(url, headers=headers).json()["name"] == "wire"
    changed = server.request("PATCH", url, json={"name": "other"}, headers=headers)
    assert changed.json()["name"] == "other"
    assert server.request("DELETE", url, headers=headers).status_code == 204
    assert server.get(url, headers=headers).status_code == 404
    assert server.request("DELETE", url, headers=headers).status_code == 204


@pytest.mark.parametrize("length", [64 * KIB + 1, 10**8, 10**18])
def test_too_much_is_refused_before_it_is_read(server, key, length):
    line = "POST /v1/clients HTTP/1.1"
    headers = ["Content-Type: application/json", f"Content-Length: {length}"]
    status, _, content = ask(server, key, line, headers=headers)
    assert (status, json.loads(content)["error"]["code"]) == (413, "too_large")


def test_a_chunked_body(server, key):
    body = json.dumps({"name": "chunked", "scopes": []}).encode()
    headers = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    status, _, content = ask(server, key, "POST /v1/clients HTTP/1.1", headers=headers, body=chunks)
    assert status == 201, content
    piece = b"%x\r\n%s\r\n" % (KIB, b" " * KIB)
    status, _, content = ask(
        server, key, "POST /v1/clients HTTP/1.1", headers=headers, body=piece * 80 + b"0\r\n\r\n"
    )
    assert status == 413


def test_no_body_and_no_length(server, key, installation):
    made = installation.api_key(["bookings:read"])
    status, _, _ = ask(server, key, f"POST /v1/api-keys/{made.id}/rotate HTTP/1.1")
    assert status == 201
    status, _, content = ask(server, key, "POST /v1/clients HTTP/1.1")
    assert (status, json.loads(content)["error"]["code"]) == (400, "invalid")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/clients/%ff%fe",
        "/v1/clients/%E2%80%AE",
        "/v1/clients/\xe9",
        "/v1/clients/%00",
        "/v1/scopes/%ff",
        "/v1/scopes/%F0%9F%94%91",
        "/v1/signing-keys/%ff",
        "/v1/clients/../organizations",
        "/v1//clients",
        "/V1/clients",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_odd_paths(server, key, method, path):
    status, headers, content = ask(server, key, f"{method} {path} HTTP/1.1")
    assert status in (400, 404, 405), content
    assert "location" not in headers


@pytest.mark.parametrize("host", ["a b", "evil.example", "[::1", "x" * 300, "\xff", ""])
def test_odd_hosts(server, key, host):
    head = f"GET /v1/me HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {key}\r\n\r\n"
    answer = server.raw(head.encode("latin-1"))
    assert answer.split(b" ")[1] in (b"200", b"400")
    assert b"evil.example" not in answer


@pytest.mark.parametrize("query", ["%ff=1", "a=%ff", "&&&", "=1", "%00=1", "limit=%ff"])
def test_odd_queries(server, key, query):
    status, _, content = ask(server, key, f"GET /v1/clients?{query} HTTP/1.1")
    assert status == (200 if query == "&&&" else 400), content


def test_two_authorization_headers(server, key):
    status, _, _ = ask(server, key, "GET /v1/me HTTP/1.1", headers=[f"Authorization: Bearer {key}"])
    assert status == 401


def test_head_and_options(server, key):
    status, headers, content = ask(server, key, "HEAD /v1/clients HTTP/1.1")
    assert (status, content) == (200, b"")
    status, headers, content = ask(server, None, "OPTIONS /v1/clients HTTP/1.1")
    assert (status, content) == (200, b"")
    assert "allow" in headers
    status, headers, _ = ask(server, None, "OPTIONS * HTTP/1.1")
    assert status in (400, 404)


def test_nothing_of_it_is_logged(server, key, installation):
    made = server.post(
        "/v1/api-keys",
        json={"name": "x", "scopes": []},
        headers={"Authorization": f"Bearer {key}"},
    ).json()
    server.get("/v1/me", headers={"Authorization": f"Bearer {key}x"})
    server.get(f"/v1/me?access_token={key}")
    log = server.log()
    assert key not in log
    assert made["key"] not in log
