"""Clients that take their time: they wait for themselves, nobody waits for them."""

import base64
import resource
import socket
from contextlib import ExitStack

import pytest

from tests.support.served import eventually, serving


def halves(client):
    """A token request in two pieces."""
    credentials = base64.b64encode(":".join(client).encode()).decode()
    body = b"grant_type=client_credentials"
    head = (
        "POST /oauth/token HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Basic {credentials}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    return head + body[:10], body[10:]


def test_eight_clients_that_send_half_a_body_freeze_nobody(server, installation):
    client = installation.client()
    first, rest = halves(client)
    with ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(8)]
        for connection in slow:
            connection.sendall(first)
        for _ in range(20):
            # Not a matter of speed: with their threads taken, this would not be answered at all.
            assert server.ask(client).status_code == 200
        # And whoever ends what he began gets his answer.
        for connection in slow:
            connection.sendall(rest)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_two_hundred_halves_and_a_thousand_idle_connections_without_a_proxy(
    installation, many_files
):
    """A half-sent body costs a thread, so there have to be more; `docs/operations.md` says so."""
    client = installation.client()
    first, rest = halves(client)
    with serving(installation, threads=256) as server, ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(server.connect())
        slow = [stack.enter_context(server.connect()) for _ in range(200)]
        for connection in slow:
            connection.sendall(first)
        for _ in range(20):
            assert server.ask(client).status_code == 200
        for connection in slow:
            connection.sendall(rest)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.fixture
def many_files():
    """So many that a process may open, here and in what begins here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip(f"a process may open {hard} files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_that_say_nothing_freeze_nobody(server, installation):
    client = installation.client()
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(server.connect())
        assert server.ask(client).status_code == 200


@pytest.mark.timeout(30)
def test_headers_without_end_are_not_waited_for(server):
    with server.connect() as connection:
        connection.sendall(b"POST /oauth/token HTTP/1.1\r\nHost: x\r\n")
        connection.settimeout(15)
        # The server's limit is five seconds; then it closes, with or without a word.
        received = connection.recv(65536)
    assert received == b"" or received.startswith(b"HTTP/1.1 4")


def test_who_goes_away_in_the_middle_costs_no_thread(server, installation):
    client = installation.client()
    head = (
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant"
    )
    for _ in range(40):  # more than there are threads
        with server.connect() as connection:
            connection.sendall(head)
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
            )
    eventually(lambda: server.ask(client).status_code == 200, timeout=5)
