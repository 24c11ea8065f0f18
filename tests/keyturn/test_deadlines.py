"""A deadline below TLS, where `test_bad_day` is without it."""

import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import httpx
import pytest

from keyturn import deadlines
from tests.keyturn.support import FakeIssuer
from tests.support.faulty import FAULTS, running_faulty
from tests.support.tls import tls_before


def trusting(authority):
    """One of a user's own, which trusts the authority of the test."""
    return deadlines.bounded(httpx.Client(verify=ssl.create_default_context(cafile=authority)))


def test_an_exchange_by_tls(issuer, tmp_path):
    with (
        tls_before(urlsplit(issuer.url).port, tmp_path) as by_tls,
        trusting(by_tls.authority) as client,
        deadlines.within(20),
    ):
        for _ in range(3):
            assert client.get(by_tls.url + FakeIssuer.JWKS).json() == {"keys": issuer.keys}


@pytest.mark.parametrize("fault", ["says nothing", "drips a header", "drips its body"])
def test_a_deadline_by_tls(tmp_path, fault):
    with (
        running_faulty() as faulty,
        tls_before(urlsplit(faulty.url).port, tmp_path) as by_tls,
        trusting(by_tls.authority) as client,
        deadlines.within(0.5),
    ):
        faulty.script = FAULTS[fault]
        with pytest.raises(httpx.TimeoutException):
            client.get(by_tls.url, timeout=60)


def test_a_stranger_s_certificate(issuer, tmp_path):
    with (
        tls_before(urlsplit(issuer.url).port, tmp_path) as by_tls,
        deadlines.client(trust_env=False) as client,
        deadlines.within(20),
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(by_tls.url)


def test_a_block_within_a_block(issuer):
    with deadlines.client(trust_env=False) as client, deadlines.within(20):
        with deadlines.within(0), pytest.raises(httpx.TimeoutException):
            client.get(issuer.url + FakeIssuer.JWKS)
        assert client.get(issuer.url + FakeIssuer.JWKS).status_code == 200


def test_a_socket_in_the_file_system(tmp_path):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    where = str(tmp_path / "s")
    with socketserver.ThreadingUnixStreamServer(where, Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        client = deadlines.bounded(httpx.Client(transport=httpx.HTTPTransport(uds=where)))
        with client, deadlines.within(20):
            assert client.get("http://here/").status_code == 204
        server.shutdown()


def test_a_client_that_is_bounded_twice_waits_once(issuer):
    with httpx.Client() as client:
        deadlines.bounded(deadlines.bounded(client))
        backend = client._transport._pool._network_backend
        assert not isinstance(backend._backend, type(backend))
        assert client.get(issuer.url + FakeIssuer.JWKS).status_code == 200
