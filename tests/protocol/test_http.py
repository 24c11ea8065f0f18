"""HTTP as it comes over the wire: old versions, chunks, expectations, and what is malformed."""

import base64
import json
import time

import pytest

FORM = b"grant_type=client_credentials"


@pytest.fixture(scope="module")
def service(installation):
    return installation.client()


@pytest.fixture
def request_of(service):
    """The bytes of a token request; what is None is left out."""
    credentials = base64.b64encode(":".join(service).encode())

    def build(*also, line=b"POST /oauth/token HTTP/1.1", body=FORM, host=b"x", length=...):
        headers = [line]
        if host is not None:
            headers.append(b"Host: " + host)
        headers.append(b"Authorization: Basic " + credentials)
        headers.append(b"Content-Type: application/x-www-form-urlencoded")
        if length is ...:
            length = len(body)
        if length is not None:
            headers.append(b"Content-Length: %d" % length)
        if b"HTTP/1.1" in line:
            headers.append(b"Connection: close")
        return b"\r\n".join([*headers, *also]) + b"\r\n\r\n" + body

    return build


def chunked(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def status_of(answer):
    assert answer, "nothing came back"
    return int(answer.split(b" ", 2)[1])


def body_of(answer):
    return json.loads(answer.partition(b"\r\n\r\n")[2])


CHUNKED = b"Transfer-Encoding: chunked"


def test_http_1_0_without_host(server, request_of):
    answer = server.raw(request_of(line=b"POST /oauth/token HTTP/1.0", host=None))
    assert status_of(answer) == 200


@pytest.mark.rfc("9112", "7.1")
@pytest.mark.parametrize(
    "parts",
    [
        [FORM],
        [FORM[:10], FORM[10:]],
        [bytes([one]) for one in FORM],
    ],
    ids=["one", "two", "every byte"],
)
def test_chunked(server, request_of, parts):
    answer = server.raw(request_of(CHUNKED, body=chunked(*parts), length=None))
    assert status_of(answer) == 200


def test_chunks_that_come_slowly_are_waited_for(server, request_of):
    sent = request_of(CHUNKED, body=chunked(FORM[:10], FORM[10:]), length=None)
    with server.connect() as connection:
        for start in range(0, len(sent), 60):
            connection.sendall(sent[start : start + 60])
            time.sleep(0.01)  # the point of the test
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_chunks_without_end_are_refused_at_64_kib(server, request_of):
    body = chunked(*[b"x" * 1000] * 70)
    answer = server.raw(request_of(CHUNKED, body=body, length=None))
    assert status_of(answer) == 413


def test_64_kib_of_chunks_are_read(server, request_of):
    pad = 64 * 1024 - len(FORM) - 3
    body = chunked(FORM, b"&x=", b"x" * (pad // 2), b"x" * (pad - pad // 2))
    assert status_of(server.raw(request_of(CHUNKED, body=body, length=None))) == 200


@pytest.mark.rfc("9110", "10.1.1")
def test_expect_100_continue(server, request_of):
    sent = request_of(b"Expect: 100-continue")
    head, body = sent[: -len(FORM)], sent[-len(FORM) :]
    with server.connect() as connection:
        connection.sendall(head)
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_who_expects_100_continue_for_a_huge_body_is_refused_at_once(server, request_of):
    sent = request_of(b"Expect: 100-continue", body=b"", length=10**6)
    assert status_of(server.raw(sent)) == 413


@pytest.mark.parametrize("length", [64 * 1024 + 1, 10**9, 10**18])
@pytest.mark.parametrize("path", [b"token", b"introspect", b"revoke"])
def test_a_huge_body_is_refused_before_it_is_read(server, request_of, length, path):
    line = b"POST /oauth/%s HTTP/1.1" % path
    started = time.monotonic()
    answer = server.raw(request_of(line=line, body=b"", length=length))
    assert time.monotonic() - started < 10
    assert status_of(answer) == 413
    assert body_of(answer)["error"] == "invalid_request"


@pytest.mark.parametrize("length", [b"x", b"-1", b"+29", b"29, 29", b"1e3", b"0x1d", b""])
def test_a_content_length_that_is_no_number(server, request_of, length):
    answer = server.raw(request_of(b"Content-Length: " + length, length=None))
    assert status_of(answer) in (200, 400)
    if status_of(answer) == 200:
        # RFC 9110 §8.6: a list of identical values may be read as the one.
        assert length == b"29, 29"


def test_two_content_lengths_that_differ(server, request_of):
    assert status_of(server.raw(request_of(b"Content-Length: 5"))) == 400


def test_a_body_that_ends_too_early(server, request_of):
    sent = request_of(length=len(FORM) + 10)
    answer = server.raw(sent, half_close=True)
    assert answer == b"" or status_of(answer) == 400


@pytest.mark.rfc("9112", "6.1")
def test_length_and_chunks_together_smuggle_nothing(server, request_of):
    """What one party reads by its length and another by its chunks hides a second request."""
    hidden = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = request_of(CHUNKED, body=chunked(FORM) + hidden, length=4)
    sent = sent.replace(b"Connection: close\r\n", b"")
    answer = server.raw(sent, timeout=10)  # read until the server ends the connection
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b'"keys"' not in answer


@pytest.mark.parametrize(
    "coding", [b"xchunked", b"chunked, identity", b"identity", b"gzip, chunked", b"\x0bchunked"]
)
def test_transfer_codings_that_nobody_uses(server, request_of, coding):
    body = chunked(FORM)
    sent = request_of(b"Transfer-Encoding: " + coding, body=body, length=None)
    answer = server.raw(sent, half_close=True, timeout=5)
    assert answer == b"" or status_of(answer) in (400, 501), answer


def test_a_compressed_form_is_not_unpacked(server, request_of):
    import gzip

    body = gzip.compress(FORM)
    answer = server.raw(request_of(b"Content-Encoding: gzip", body=body))
    assert status_of(answer) == 400


@pytest.mark.parametrize(
    "also", [b"Authorization: Basic eDp5", b"Authorization: Bearer x", b"Authorization: "]
)
def test_two_authorization_headers(server, request_of, also):
    answer = server.raw(request_of(also))
    assert status_of(answer) in (400, 401)
    assert b"access_token" not in answer


def test_one_empty_authorization_header(server, request_of):
    sent = b"\r\n".join(
        line for line in request_of().split(b"\r\n") if not line.startswith(b"Authorization")
    )
    for value in (b"Basic", b"Basic ", b""):
        answer = server.raw(sent.replace(b"\r\n", b"\r\nAuthorization: %s\r\n" % value, 1))
        assert (status_of(answer), body_of(answer)["error"]) == (401, "invalid_client")


NO_NAMES = [b"x" * 300, b".."]
"""What cannot be a host's name at all may also be refused."""
HOSTS = [
    *NO_NAMES,
    b"evil.example",
    b"evil.example:443",
    b"",
    b"a b",
    b"[::1",
    b"x:99999999",
    b"x:y",
    b"\xff\xfe",
    b"a@b",
    b"<script>",
]


@pytest.mark.parametrize("host", HOSTS)
def test_host_changes_nothing(server, request_of, host):
    answer = server.raw(request_of(host=host))
    assert status_of(answer) == 200
    token = body_of(answer)["access_token"]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["iss"] == server.url


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "path", [b"/.well-known/oauth-authorization-server", b"/.well-known/jwks.json", b"/health"]
)
def test_host_changes_no_document(server, path, host):
    def get(host):
        head = b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (path, host)
        return server.raw(head)

    honest, forged = get(b"127.0.0.1"), get(host)
    if host in NO_NAMES and status_of(forged) == 400:
        assert body_of(forged)["error"]["code"] == "bad_request"
    else:
        assert status_of(forged) == 200
        assert body_of(forged) == body_of(honest)


def test_forwarding_headers_change_nothing(server, request_of):
    answer = server.raw(
        request_of(
            b"X-Forwarded-Host: evil.example",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Prefix: /evil",
            b"Forwarded: host=evil.example;proto=https",
            b"X-Original-URL: /admin",
            b"X-Rewrite-URL: /admin",
            b"X-HTTP-Method-Override: GET",
        )
    )
    assert status_of(answer) == 200
    assert b"evil" not in answer


def test_an_absolute_target_is_the_same_endpoint(server, request_of):
    answer = server.raw(request_of(line=b"POST http://evil.example/oauth/token HTTP/1.1"))
    assert status_of(answer) == 200
    assert b"evil" not in answer


@pytest.mark.parametrize(
    "agent", [b"\xff\xfe\xed\xa0\x80", b"x" * 8000, b"\xf0\x9f\x98\x80", b'"\\', b""]
)
def test_any_user_agent(server, request_of, agent):
    assert status_of(server.raw(request_of(b"User-Agent: " + agent))) == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nabcde",
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nNo-Colon\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_or_dropped(server, sent):
    answer = server.raw(sent, half_close=True, timeout=5)
    assert answer == b"" or 400 <= status_of(answer) < 600
    assert b"Traceback" not in answer
    assert server.get("/health").status_code == 200


def test_headers_without_end_are_refused(server):
    lines = b"".join(b"X-Header-%d: %s\r\n" % (n, b"x" * 1000) for n in range(2000))
    answer = server.raw(b"GET /health HTTP/1.1\r\nHost: x\r\n", lines, b"\r\n")
    assert answer == b"" or 400 <= status_of(answer) < 600
    assert server.get("/health").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        b"/%ff%fe%00",
        b"/..%2f..%2f..%2fetc%2fpasswd",
        b"/../../../etc/passwd",
        b"/static/../../setup.cfg",
        b"/" + b"x" * 8000,
        b"/con",
        b"/oauth/token%00",
        b"/oauth/token;x=y",
        b"*",
    ],
)
def test_paths_that_do_not_exist(server, path):
    answer = server.raw(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
    assert status_of(answer) in (400, 404, 414)
    assert b"root:" not in answer
    assert b"Traceback" not in answer


@pytest.mark.parametrize("content_type", [b"text/plain", b"application/json", b""])
def test_a_refused_body_leaves_the_connection_usable(server, request_of, content_type):
    sent = request_of(body=b"x" * 60000).replace(b"Connection: close\r\n", b"")
    sent = sent.replace(b"application/x-www-form-urlencoded", content_type)
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(sent)
            assert connection.recv(65536).startswith(b"HTTP/1.1 400")


def test_http_2_in_the_clear_is_not_spoken(server):
    answer = server.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), half_close=True)
    assert answer == b"" or status_of(answer) in (400, 404, 405, 505)


def test_one_connection_serves_many_requests(server, request_of):
    sent = request_of().replace(b"Connection: close\r\n", b"")
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(sent)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_after_an_early_refusal_the_rest_of_the_body_is_not_a_request(server, request_of):
    """The refused body is never read; its bytes must not be taken for the next request."""
    hidden = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n"
    length = 64 * 1024 + 1
    sent = request_of(body=hidden + b"x" * (length - len(hidden)), length=length)
    sent = sent.replace(b"Connection: close\r\n", b"")
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = server.raw(sent, last, timeout=10)
    assert status_of(answer) == 413
    assert b'"keys"' not in answer
