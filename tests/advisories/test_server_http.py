"""Published mistakes of HTTP servers and frameworks, tried on the served process.

Each test names the advisory or issue it stands for. The whole tables are in ``tests/protocol``.
"""

import base64
import time
from contextlib import ExitStack

import pytest

FORM = b"grant_type=client_credentials"
JWKS = b'"keys":['


@pytest.fixture(scope="module")
def client(installation):
    return installation.client()


@pytest.fixture
def head(client):
    credentials = base64.b64encode(":".join(client).encode())
    return (
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + credentials + b"\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
    )


# Zitadel CVE-2023-49097, CVE-2025-64101 and twice more: Host and forwarding headers believed.
@pytest.mark.parametrize(
    "header",
    ["Host", "X-Forwarded-Host", "Forwarded", "X-Host", "X-Original-Host", "X-Forwarded-Server"],
)
def test_the_issuer_is_configured_never_derived(server, client, header):
    value = "host=evil.example" if header == "Forwarded" else "evil.example"
    headers = {header: value, "X-Forwarded-Proto": "https"}
    documents = [
        server.get("/.well-known/oauth-authorization-server", headers=headers),
        server.get("/.well-known/openid-configuration", headers=headers),
        server.post("/oauth/token", headers=headers),
        server.get("/nowhere", headers=headers),
    ]
    for response in documents:
        assert "evil" not in response.text + str(response.headers)
    assert documents[0].json()["issuer"] == server.url


# gunicorn CVE-2024-1135, CVE-2024-6827: what is chunked for one and not for the other.
@pytest.mark.parametrize(
    "coding",
    [
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 6",
        b"Content-Length: 6\r\nTransfer-Encoding: chunked",
        b"Content-Length: 6\r\nContent-Length: 5",
        b"Content-Length: 6, 5",
    ],
)
def test_no_second_request_hides_in_the_first(server, head, coding):
    hidden = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n"
    for body in (b"0\r\n\r\n", b"1d\r\n" + FORM + b"\r\n0\r\n\r\n"):
        answer = server.raw(head + coding + b"\r\n\r\n" + body + hidden, timeout=10)
        # One answer, and the connection ends: whatever comes behind is nobody's request.
        assert answer.count(b"HTTP/1.1 ") <= 1
        assert JWKS not in answer


# Werkzeug CVE-2023-25577, CVE-2023-46136, CVE-2024-49767: multipart bodies of a million parts.
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/health"])
def test_multipart_is_never_taken_apart(server, client, path):
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    content = (part * 1000 + b"--x--")[: 64 * 1024]
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Connection": "close"}
    started = time.monotonic()
    response = server.post(path, content=content, headers=headers, auth=client)
    assert response.status_code in (400, 405)
    assert time.monotonic() - started < 10


# Werkzeug CVE-2024-34069: the debugger.
@pytest.mark.parametrize(
    "path", ["/console", "/?__debugger__=yes&cmd=printpin", "/_debug_toolbar", "/debug"]
)
def test_there_is_no_debugger(server, path):
    response = server.get(path)
    assert response.status_code in (404, 302, 303)
    assert "Werkzeug" not in response.text


# Werkzeug CVE-2023-23934: cookies without a name; and a Cookie is nothing to these endpoints.
@pytest.mark.parametrize("cookie", ["=__Host-session=bad", "==", ";;;", "a" * 4000, "\xff"])
def test_cookies_mean_nothing_here(server, client, cookie):
    data = {"grant_type": "client_credentials"}
    headers = {"Cookie": cookie.encode("latin-1")}
    response = server.post("/oauth/token", data=data, auth=client, headers=headers)
    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers


# Flask CVE-2023-30861, CVE-2026-27205: a shared cache served somebody's session.
@pytest.mark.parametrize("path", ["/.well-known/jwks.json", "/.well-known/openid-configuration"])
def test_what_caches_keep_belongs_to_nobody(server, client, path):
    response = server.get(path, auth=client, headers={"Cookie": "session=x"})
    assert "public" in response.headers["Cache-Control"]
    assert "Set-Cookie" not in response.headers
    assert response.content == server.get(path).content


# Werkzeug CVE-2025-66221, CVE-2026-27199: names of devices; and every other way out of a directory.
@pytest.mark.parametrize(
    "path",
    ["/static/NUL", "/static/con", "/static/COM1.txt", "/static/..%5c..%5cwindows", "/AUX",
     "/static/%2e%2e/%2e%2e/setup.cfg", "/docs/../../keys/master.key"],
)  # fmt: skip
def test_no_file_is_found_by_a_strange_name(server, path):
    answer = server.raw(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), timeout=5
    )
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))


# Seen by trying peers: errors of the token endpoint turn into HTML for a browser.
@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"])
@pytest.mark.parametrize("path", ["/oauth/token", "/v1/nowhere", "/.well-known/nowhere"])
def test_an_error_is_json_for_everybody(server, path, accept):
    for response in (
        server.post(path, headers={"Accept": accept}),
        server.request("DELETE", path, headers={"Accept": accept}),
    ):
        assert response.status_code in (400, 401, 404, 405)
        assert response.headers["Content-Type"] == "application/json"
        assert "error" in response.json()


# Seen by trying peers: invalid UTF-8 in Basic, or a broken Host, is a 500.
def test_what_is_broken_is_the_callers_fault(server):
    broken = base64.b64encode(b"\xff\xfe:\xfd").decode()
    response = server.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {broken}"},
    )
    assert response.status_code == 401
    for host in (b"[::1", b"\xff", b"a b", b"x" * 300, b""):
        request = b"GET /nowhere HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
        assert server.raw(request).split(b" ")[1] in (b"400", b"404")


# Seen by trying peers: idle keep-alive connections fill a small queue, and nobody else gets in.
def test_idle_connections_keep_nobody_out(server, client):
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(server.connect())
            connection.sendall(request)
            assert connection.recv(1024).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        assert server.ask(client).status_code == 200
        assert time.monotonic() - started < 10


# Parameters in the URL end up in logs; better-auth, Authlib's Flask layer and others read them.
def test_a_secret_in_the_url_is_refused_and_not_repeated(server, client):
    response = server.post(
        "/oauth/token",
        params={"client_id": client.client_id, "client_secret": client.client_secret},
        data={"grant_type": "client_credentials"},
    )
    assert response.status_code == 400
    assert client.client_secret not in response.text + str(response.headers)
    assert client.client_secret not in server.log()
