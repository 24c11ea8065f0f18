"""A client's keys at its own address: fetched when needed, kept, and from nowhere but where it may
be (RFC 7591 §2, SSRF)."""

import http.server
import json
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.admin import client_keys
from app.oauth.client_auth import keys as cache
from app.oauth.client_auth.keys import KeysOfClients
from app.storage import outside
from app.storage.outside import OutsideRefused, fetch
from tests.support.assertions import SigningKey, claims, proof
from tests.support.installation import installed

GRANT = {"grant_type": "client_credentials"}
METHOD = "private_key_jwt"
LOOPBACK = "127.0.0.0/8"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of ``keys.example`` and 127.0.0.1, and its key, in one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), "localhost"
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return file


class Address:
    """An https server whose answer can be changed."""

    def __init__(self, file):
        self.status, self.body, self.headers, self.delay, self.hits = 200, b"", {}, 0.0, 0
        address = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                address.hits += 1
                time.sleep(address.delay)
                self.send_response(address.status)
                for name, value in address.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(address.body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}/jwks"

    def offer(self, *keys):
        self.body = json.dumps({"keys": [key.jwk for key in keys]}).encode()


@pytest.fixture
def address(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    made = Address(certificate)
    yield made
    made.server.shutdown()
    made.server.server_close()


@contextmanager
def client_at(tmp_path, url, **environ):
    """An installation that may ask loopback, a client with keys at ``url``, and how it asks."""
    environ = {"KEYTURN_JWKS_NETWORKS": LOOPBACK} | environ
    with installed(tmp_path / "made", **environ) as made:
        client = made.client(token_endpoint_auth_method=METHOD, jwks_uri=url).client_id
        issuer = made.services.settings.issuer

        def ask(key):
            data = GRANT | proof(key.sign(claims(client, issuer)))
            return made.http.post("/oauth/token", data=data).status_code

        def reasons():
            made.services.shipper.ship_now()
            rows = made.rows(
                "SELECT reason FROM audit_events WHERE actor_id = :id AND outcome = 'refused'"
                " ORDER BY id",
                id=client,
            )
            return [row.reason for row in rows]

        ask.reasons = reasons
        ask.findings = lambda: [*client_keys.examine(made.desk)]
        yield ask


def test_keys_are_fetched_and_kept(tmp_path, address):
    key = SigningKey(kid="one")
    address.offer(key)
    with client_at(tmp_path, address.url) as ask:
        assert [ask(key) for _ in range(3)] == [200, 200, 200]
        assert address.hits == 1
        # Guesses cause one fetch a cooldown at most; and the keys that are known go on.
        assert [ask(SigningKey(kid=f"k{n}")) for n in range(5)] == [401] * 5
        assert address.hits == 1
        assert ask(key) == 200


def test_a_new_key_is_found_and_a_failure_takes_none_away(tmp_path, address, monkeypatch):
    monkeypatch.setattr(cache, "COOLDOWN", 0.0)
    old, new = SigningKey(kid="old"), SigningKey("EdDSA", kid="new")
    address.offer(old)
    with client_at(tmp_path, address.url) as ask:
        assert (ask(old), ask(new)) == (200, 401)
        address.offer(old, new)
        assert (ask(new), ask(old)) == (200, 200)
        address.status = 500
        assert ask(SigningKey(kid="unknown")) == 401
        assert (ask(new), ask(old)) == (200, 200)
        address.status, address.body = 200, b"{}"
        assert ask(SigningKey(kid="unknown")) == 401
        assert ask(new) == 200
        address.offer(new)
        assert ask(SigningKey(kid="unknown")) == 401
        assert (ask(new), ask(old)) == (200, 401)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256", None])
def test_of_a_set_that_gives_a_private_key_away_none_is_taken(
    tmp_path, address, monkeypatch, algorithm
):
    monkeypatch.setattr(cache, "COOLDOWN", 0.0)
    key, other = SigningKey(kid="one"), SigningKey(kid="two")
    address.offer(key)
    given = SigningKey(algorithm).private_jwk if algorithm else {"kty": "oct", "k": "c2VjcmV0"}
    with client_at(tmp_path, address.url) as ask:
        assert ask(key) == 200
        address.body = json.dumps({"keys": [key.jwk, given]}).encode()
        assert ask(other) == 401  # so it is fetched again
        assert ask(key) == 401
        assert ask.reasons() == ["private_key_published"] * 2
        [found] = ask.findings()
        assert "cannot authenticate: private_key_published at" in found.message
        assert "make another key" in found.action
        address.offer(other)
        assert (ask(other), ask(key)) == (200, 401)
        assert ask.reasons()[2:] == ["bad_signature"]
        assert [one.status for one in ask.findings()] == ["pass"]


def test_private_networks_need_a_setting(tmp_path, address):
    address.offer(SigningKey())
    with client_at(tmp_path, address.url, KEYTURN_JWKS_NETWORKS="") as ask:
        assert ask(SigningKey()) == 401
    assert address.hits == 0


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_how_long_keys_serve(installation):
    key, clock, answers = SigningKey(), Clock(), []
    client_id = installation.client(
        token_endpoint_auth_method=METHOD, jwks_uri="https://a.example/jwks"
    ).client_id
    client = installation.services.directory.client_now(client_id)

    def fetched(url):
        answers.append(url)
        if len(answers) > 1:
            raise OutsideRefused("status_500")
        return json.dumps(key.jwks).encode()

    known = KeysOfClients(fetched, clock)
    assert len(known.of(client).keys) == len(known.of(client).keys) == len(answers) == 1
    clock.now += cache.FRESH + 1
    assert len(known.of(client).keys) == 1
    assert len(known.of(client).keys) == 1
    assert len(answers) == 2
    clock.now += cache.STALE
    assert known.of(client).keys == ()


def test_a_slow_address_holds_up_its_own_client_alone(installation):
    slow = installation.client(
        token_endpoint_auth_method=METHOD, jwks_uri="https://slow.example/jwks"
    )
    quick = installation.client(
        token_endpoint_auth_method=METHOD, jwks_uri="https://quick.example/jwks"
    )
    begun, release = threading.Event(), threading.Event()

    def fetched(url):
        if "slow" in url:
            begun.set()
            assert release.wait(30)
        return json.dumps(SigningKey().jwks).encode()

    known = KeysOfClients(fetched)
    find = installation.services.directory.client_now
    waiting = threading.Thread(target=known.of, args=(find(slow.client_id),))
    waiting.start()
    assert begun.wait(30)
    assert len(known.of(find(quick.client_id)).keys) == 1
    release.set()
    waiting.join(30)


# Where it may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/jwks",
        "file:///etc/passwd",
        "ftp://a.example/jwks",
        "data:application/json,{}",
        "https://user:pass@a.example/",
        "https://:pass@a.example/",
        "https://a.example:port/",
        "https://[a.example/",
        "https:///jwks",
        "jwks",
    ],
)
def test_https_alone(url):
    with pytest.raises(OutsideRefused, match="url"):
        fetch(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "ff02::1",
    ],
)  # fmt: skip
def test_public_addresses_alone(monkeypatch, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", None)  # nobody is asked
    with pytest.raises(OutsideRefused, match="address"):
        fetch("https://keys.example/jwks")


def test_one_bad_address_of_a_name_is_enough(monkeypatch):
    found = [(socket.AF_INET, 1, 6, "", (ip, 443)) for ip in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", None)
    with pytest.raises(OutsideRefused, match="address"):
        fetch("https://keys.example/jwks")


def test_the_address_that_was_checked_is_the_one_that_is_asked(address, monkeypatch):
    """DNS rebinding: a name that means another machine at the second question."""
    address.offer(SigningKey())
    questions = []

    def resolve(host, port, *_, **__):
        questions.append(host)
        ip = "127.0.0.1" if len(questions) == 1 else "127.66.66.66"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo",
        lambda host, *rest, **also: resolve(host, *rest) if host == "localhost"
        else real(host, *rest, **also),
    )  # fmt: skip
    body = fetch(f"https://localhost:{address.port}/jwks", [ip_network("127.0.0.1/32")])
    assert json.loads(body)["keys"]
    assert questions == ["localhost"]


@pytest.fixture
def private():
    return [ip_network(LOOPBACK)]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"status": 302, "headers": {"Location": "https://169.254.169.254/"}}, "status_302"),
        ({"status": 404}, "status_404"),
        ({"body": b"x" * (64 * 1024 + 1)}, "too_large"),
    ],
)
def test_answers_that_are_not_read(address, private, answer, reason):
    for name, value in answer.items():
        setattr(address, name, value)
    with pytest.raises(OutsideRefused, match=reason):
        fetch(address.url, private)
    assert address.hits == 1


def test_a_certificate_of_somebody_else(address, private, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(OutsideRefused, match="SSL"):
        fetch(address.url, private)


def test_an_answer_that_never_ends_is_over_in_time(address, private):
    address.delay = 30
    with pytest.raises(OutsideRefused):
        fetch(address.url, private, timeout=0.3)


def test_headers_that_drip_are_over_in_time(certificate, private, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip():
        peer, _ = listener.accept()
        try:
            with peer, context.wrap_socket(peer, server_side=True) as talk:
                talk.sendall(b"HTTP/1.1 200 OK\r\n")
                while not ended.wait(0.05):
                    talk.sendall(b"X-More: 1\r\n")
        except OSError:
            pass

    threading.Thread(target=drip, daemon=True).start()
    with listener, pytest.raises(OutsideRefused, match="timeout"):
        fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/", private, timeout=0.5)
    ended.set()
    assert outside.TIMEOUT <= 5
