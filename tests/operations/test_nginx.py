"""Behind ``deploy/nginx.conf``: whoever takes his time, takes nobody else's."""

from __future__ import annotations

import base64
import resource
import time
from contextlib import ExitStack

import httpx
import pytest

from tests.operations import nginx
from tests.support.installation import installed
from tests.support.served import HOST, eventually, free_port, serving

HALF_SENT = 200
IDLE = 1000


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    nginx.program()
    directory = tmp_path_factory.mktemp("behind")
    with installed(directory, KEYTURN_TRUSTED_PROXIES="127.0.0.1/32") as made:
        yield made


@pytest.fixture(scope="module")
def node(house):
    """With fewer threads than there are slow clients below."""
    with serving(house, threads=4) as served:
        yield served


@pytest.fixture(scope="module")
def front(house, node, tmp_path_factory):
    with nginx.in_front_of(tmp_path_factory.mktemp("nginx"), node.port) as running:
        yield running


@pytest.fixture(scope="module")
def client(house):
    return house.client()


def ask(front, client, **also):
    form = {"grant_type": "client_credentials"}
    return front.http.post("/oauth/token", data=form, auth=client, **also)


def half(client, body=b"grant_type=client_credentials"):
    """A token request, and what is still to be sent of it."""
    credentials = base64.b64encode(":".join(client).encode()).decode()
    head = (
        "POST /oauth/token HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Basic {credentials}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    return head + body[:10], body[10:]


def test_nginx_takes_the_file(tmp_path):
    nginx.program()
    nginx.check(nginx.rewritten(tmp_path, free_port(), [8001, 8002, 8003]))


def test_a_request_passes(front, client):
    answer = ask(front, client)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-Id"].startswith("req_")
    assert "Server" not in answer.headers or answer.headers["Server"] == "nginx"


def test_half_sent_bodies_and_idle_connections_stop_nobody(front, node, client):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = HALF_SENT + IDLE + 200
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            pytest.skip(f"a process may open {hard} files here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    with ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(front.connect())
        for _ in range(HALF_SENT):
            stack.enter_context(front.connect()).sendall(half(client)[0])
        # Behind one of them it would wait until its own time is out.
        for _ in range(50):
            assert ask(front, client).status_code == 200


def test_a_body_in_two_pieces(front, client):
    first, rest = half(client)
    with front.connect() as connection:
        connection.sendall(first)
        time.sleep(0.2)  # the point of the test
        connection.sendall(rest)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_the_address_is_what_the_proxy_saw(house, front, client):
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.7")
    with httpx.Client(base_url=front.http.base_url, transport=elsewhere) as http:
        form = {"grant_type": "client_credentials"}
        claimed = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
        answer = http.post("/oauth/token", data=form, auth=client, headers=claimed)
    request_id = answer.headers["X-Request-Id"]
    found = eventually(
        lambda: house.rows("SELECT ip FROM audit_events WHERE request_id = :id", id=request_id)
    )
    assert found[0].ip == "127.0.0.7"


def test_no_query_is_logged(front, client):
    answer = ask(front, client, params={"client_secret": "in-the-wrong-place"})
    assert answer.status_code == 400
    eventually(lambda: '"status":400' in front.log())
    assert "in-the-wrong-place" not in front.log()
    assert client.client_secret not in front.log()


def test_a_body_that_is_too_large(front, client):
    for size in (70_000, 1_000_000):  # refused by Keyturn, and by nginx
        answer = front.http.post(
            "/oauth/token",
            content=b"a=" + b"b" * size,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            auth=client,
        )
        assert answer.status_code == 413
        assert answer.json()["error"] == "invalid_request"
        assert answer.headers["Content-Type"] == "application/json"


def test_metrics_are_not_for_the_world(front):
    assert front.http.get("/metrics").status_code == 404


def test_a_node_that_is_away_is_not_noticed(node, client, tmp_path):
    with nginx.in_front_of(tmp_path / "two", free_port(), node.port) as front:
        assert {ask(front, client).status_code for _ in range(30)} == {200}


def test_no_node_at_all(client, tmp_path):
    with nginx.in_front_of(tmp_path / "none", free_port()) as front:
        answer = ask(front, client)
    assert answer.status_code == 503
    assert answer.json()["error"] == "temporarily_unavailable"
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["Cache-Control"] == "no-store"


def test_connections_that_the_node_has_ended_are_not_used(front, client):
    """Keyturn ends what is idle for five seconds; nginx must have let go of it before."""
    assert ask(front, client).status_code == 200
    time.sleep(5.5)  # the point of the test
    assert ask(front, client).status_code == 200
    assert HOST in front.log()
