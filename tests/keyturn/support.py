"""What the library's tests share: a clock to turn, tokens to make, an issuer on a real socket."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from keyturn import AsyncVerifier, FixedKeys, Principal, TokenVerifier, VerificationKey
from keyturn.limits.values import Usage

V = TypeVar("V")
ISSUER = "https://auth.example.com"
AUDIENCE = "https://api.example.com"
CLIENT_SECRET = "kts_live_9aBcDeFgHiJkLmNoPqRsTuVwXyZ01234_0aBcDe"
START = datetime(2030, 1, 1, tzinfo=UTC)
NOW = int(START.timestamp())

ES256 = ECAlgorithm(ECAlgorithm.SHA256)
RS256 = RSAAlgorithm(RSAAlgorithm.SHA256)
EDDSA = OKPAlgorithm()

EC_KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
OTHER_EC_KEY = ec.derive_private_key(0xBADCAFE, ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
RSA_KEY = rsa.generate_private_key(65537, 2048)


class Time:
    """A wall clock and a stop watch that only move when told to."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return 1000.0 + self.passed

    def advance(self, seconds: float) -> None:
        self.passed += seconds


class LoopThread:
    """An event loop in a thread of its own, to wait for from others."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def run(self, coroutine: Coroutine[Any, Any, V], timeout: float = 60) -> V:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Waited:
    """An AsyncVerifier, called as a Verifier is."""

    def __init__(self, verifier: AsyncVerifier, loop: LoopThread) -> None:
        self.verifier = verifier
        self._run = loop.run

    def verify(self, *what: Any, **seen: Any) -> Principal:
        return self._run(self.verifier.verify(*what, **seen))

    def require_ready(self) -> None:
        self._run(self.verifier.require_ready())

    def refresh(self) -> None:
        self._run(self.verifier.refresh())

    def close(self) -> None:
        self._run(self.verifier.close())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.verifier, name)


class WaitedLimits:
    """Limits, taken of by tasks."""

    def __init__(self, limits: Any, loop: LoopThread) -> None:
        self._limits = limits
        self._run = loop.run

    def take(self, principal: Principal, route_class: str = "", cost: int = 1) -> tuple[Usage, ...]:
        return self._run(self._limits.take_async(principal, route_class, cost))

    def close(self) -> None:
        self._run(self._limits.close_async())


def with_django_settings() -> None:
    """Django's settings are a process' own: they are there, and tests override them."""
    from django.conf import settings

    if not settings.configured:
        # Without django.contrib.auth there is no class for whoever is nobody.
        rest = {"UNAUTHENTICATED_USER": None}
        settings.configure(ALLOWED_HOSTS=["*"], REST_FRAMEWORK=rest)
        import django

        django.setup(set_prefix=False)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token, with changes; None removes a claim."""
    members = {
        "iss": ISSUER,
        "sub": "client_1",
        "aud": AUDIENCE,
        "exp": NOW + 900,
        "iat": NOW,
        "jti": "token_1",
        "client_id": "client_1",
        "scope": "bookings:read bookings:write",
        "org": "org_1",
        "env": "live",
    } | changes
    return {name: value for name, value in members.items() if value is not None}


def header(**changes: Any) -> dict[str, Any]:
    members = {"alg": "ES256", "typ": "at+jwt", "kid": "k1"} | changes
    return {name: value for name, value in members.items() if value is not None}


def sign_es256(signed: bytes) -> bytes:
    return ES256.sign(signed, EC_KEY)


def jws(
    head: dict[str, Any] | bytes,
    payload: dict[str, Any] | bytes,
    sign: Callable[[bytes], bytes] = sign_es256,
) -> str:
    """A compact JWS of any header and payload, good or bad."""
    raw = [
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in (head, payload)
    ]
    signed = ".".join(map(b64, raw))
    return f"{signed}.{b64(sign(signed.encode()))}"


def good_token(**changes: Any) -> str:
    return jws(header(), claims(**changes))


def token_verifier(**changes: Any) -> TokenVerifier:
    """A verifier that knows the EC key as "k1" and lives at START."""
    settings: dict[str, Any] = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "keys": FixedKeys([VerificationKey.of("k1", EC_KEY.public_key())]),
        "clock": lambda: START,
    }
    return TokenVerifier(**settings | changes)


def jwk(key: Any, kid: str, **changes: Any) -> dict[str, Any]:
    """The public JWK of a key, with changes; None removes a member."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        made_by, alg = ES256, "ES256"
    elif isinstance(key, rsa.RSAPrivateKey):
        made_by, alg = RS256, "RS256"
    else:
        made_by, alg = EDDSA, "EdDSA"
    members = made_by.to_jwk(key.public_key(), as_dict=True)
    members.pop("key_ops", None)
    members |= {"kid": kid, "alg": alg, "use": "sig"} | changes
    return {name: value for name, value in members.items() if value is not None}


@dataclass
class Reply:
    """What the issuer answers at one path, instead of the right thing."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    gate: threading.Event | None = None
    """Answer only when this is set."""
    drip: bool = False
    """Send the body for ever, a byte at a time."""


class FakeIssuer:
    """An issuer on 127.0.0.1 that counts its requests and can be made faulty, path by path."""

    METADATA = "/.well-known/oauth-authorization-server"
    JWKS = "/.well-known/jwks.json"
    OPENID = "/.well-known/openid-configuration"
    INTROSPECT = "/oauth/introspect"
    TOKEN = "/oauth/token"
    API = "/api"
    """An API of whoever holds a token that is not in `refused`; it answers with that token."""
    LIST = "/oauth/status-lists/1"
    REPORTS = "/v1/usage/reports"

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.entered = threading.Event()
        self.instead: dict[str, Reply] = {}
        self.first: dict[str, list[Reply]] = {}
        """Answers to the next requests, before everything else."""
        self.keys: list[dict[str, Any]] = [jwk(EC_KEY, "k1")]
        self.jwks_headers: dict[str, str] = {"Cache-Control": "max-age=300", "ETag": '"v1"'}
        self.statuses: dict[int, int] = {}
        self.revoked: list[str] = []
        self.list_claims: dict[str, Any] = {}
        """Departures from the right claims of the status list; None removes one."""
        self.known: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.token_requests: list[tuple[str, dict[str, list[str]]]] = []
        self.token_members: dict[str, Any] = {"token_type": "Bearer", "expires_in": 900}
        self.refused: set[str] = set()
        self.reports: list[dict[str, Any]] = []
        self.seen_headers: list[dict[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": self.url + self.JWKS,
            "introspection_endpoint": self.url + self.INTROSPECT,
            "token_endpoint": self.url + self.TOKEN,
        }

    def knows(self, key: str, **changes: Any) -> None:
        """Let a key be active, with the answer our server gives; with organization and mode behind
        it, that of a service key that names them."""
        members = {
            "active": True,
            "client_id": "key_1",
            "sub": "key_1",
            "scope": "bookings:read",
            "iss": self.url,
            "aud": AUDIENCE,
            "iat": NOW,
            "jti": "key_1",
            "token_type": "Bearer",
            "org": "org_1",
            "env": "live",
        } | changes
        self.known[key] = {name: value for name, value in members.items() if value is not None}

    def down(self, path: str) -> None:
        self.instead[path] = Reply(503, b"down")

    def up(self) -> None:
        self.instead.clear()

    def _reply(self, path: str, headers: dict[str, str], form: dict[str, list[str]]) -> Reply:
        if path == self.TOKEN:
            self.token_requests.append((headers.get("authorization", ""), form))
        if self.first.get(path):
            return self.first[path].pop(0)
        if path in self.instead:
            return self.instead[path]
        if path == self.METADATA:
            return Reply(body=json.dumps(self.metadata()).encode())
        if path == self.JWKS:
            if headers.get("if-none-match") == self.jwks_headers.get("ETag", "none"):
                return Reply(304, b"", self.jwks_headers)
            return Reply(body=json.dumps({"keys": self.keys}).encode(), headers=self.jwks_headers)
        if path == self.LIST:
            return self._status_list(headers)
        if path == self.INTROSPECT:
            self.asked.append((headers.get("authorization", ""), form))
            named = [*form["token"], *form.get("organization", []), *form.get("mode", [])]
            known = self.known.get(" ".join(named), self.known.get(named[0], {"active": False}))
            return Reply(body=json.dumps(known).encode())
        if path == self.TOKEN:
            members = {"access_token": f"token_{self.hits[path]}", **self.token_members}
            return Reply(body=json.dumps(members).encode())
        if path == self.API:
            shown = headers.get("authorization", "").removeprefix("Bearer ")
            return Reply(401 if shown in self.refused else 200, shown.encode())
        return Reply() if path == self.REPORTS else Reply(404)

    def place(self, idx: int) -> dict[str, Any]:
        """The ``status`` claim of a token whose status is at this index."""
        return {"status_list": {"idx": idx, "uri": self.url + self.LIST}}

    def status_list(self, head: dict[str, Any] | None = None, **changes: Any) -> str:
        """The status list token, right but for the changes."""
        packed = bytearray(1000)
        for idx, status in self.statuses.items():
            packed[idx // 4] |= status << (idx % 4 * 2)
        members = {
            "iss": self.url,
            "sub": self.url + self.LIST,
            "iat": NOW,
            "exp": NOW + 900,
            "ttl": 5,
            "status_list": {"bits": 2, "lst": b64(zlib.compress(bytes(packed), 9))},
            "revoked_jtis": self.revoked,
            **self.list_claims,
            **changes,
        }
        kept = {name: value for name, value in members.items() if value is not None}
        return jws(header(**{"typ": "statuslist+jwt", **(head or {})}), kept)

    def _status_list(self, headers: dict[str, str]) -> Reply:
        says = json.dumps([self.statuses, self.revoked, self.list_claims])
        etag = f'"{hashlib.sha256(says.encode()).hexdigest()}"'
        if headers.get("if-none-match") == etag:
            return Reply(304, b"")
        return Reply(body=self.status_list().encode(), headers={"ETag": etag})

    def _handler(issuer: FakeIssuer) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == issuer.REPORTS:
                    issuer.reports.append(json.loads(body))
                self.answer(parse_qs(body.decode()))

            def answer(self, form: dict[str, list[str]]) -> None:
                issuer.hits[self.path] += 1
                headers = {name.lower(): value for name, value in self.headers.items()}
                issuer.seen_headers.append(headers)
                reply = issuer._reply(self.path, headers, form)
                issuer.entered.set()
                if reply.gate is not None:
                    reply.gate.wait(30)
                try:
                    self.send(reply)
                except OSError:
                    self.close_connection = True  # the client gave up, as it should

            def send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if not reply.drip:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                until = time.monotonic() + 20
                while reply.drip and time.monotonic() < until:
                    self.wfile.write(b" ")
                    time.sleep(0.01)

            def log_message(self, *args: object) -> None:
                pass

        return Handler


@contextmanager
def running_issuer() -> Iterator[FakeIssuer]:
    issuer = FakeIssuer()
    thread = threading.Thread(target=issuer.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.server.shutdown()
        thread.join()
        issuer.server.server_close()


def compressed(body: bytes) -> Reply:
    return Reply(body=gzip.compress(body, mtime=0), headers={"Content-Encoding": "gzip"})
