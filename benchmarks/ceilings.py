"""What the server could do at best: answers without our work.

Each is served by ``flask serve`` itself, with ``app.wsgi_app`` replaced: so on the same Granian
settings as ours, whatever they are. Loaded through a file ``wsgi.py`` that the benchmark writes.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, Response, jsonify, request
from jwt.algorithms import ECAlgorithm

from app import start
from benchmarks.installation import TOKEN_PATH

WSGI = "from benchmarks.ceilings import load\n\napp = load()\n"
NAME, SAMPLE = "BENCHMARK_CEILING", "BENCHMARK_SAMPLE"
"""Variables: which ceiling, and the file with an answer of ours, so that it answers at length."""

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Signing:
    """One ES256 signature by PyJWT's algorithm object, over a payload as long as ours."""

    def __init__(self, token: str) -> None:
        head, payload, _ = token.split(".")
        self._head = head.encode() + b"."
        self._payload = bytes((len(payload) * 3) // 4)
        self._algorithm = ECAlgorithm(ECAlgorithm.SHA256)
        self._key = ec.generate_private_key(ec.SECP256R1())

    def token(self) -> bytes:
        message = self._head + urlsafe_b64encode(self._payload).rstrip(b"=")
        signature = self._algorithm.sign(message, self._key)
        return message + b"." + urlsafe_b64encode(signature).rstrip(b"=")


def constant(sample: bytes) -> Wsgi:
    """The same bytes for every request."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", _headers(len(sample)))
        return [sample]

    return answer


def signed(sample: bytes) -> Wsgi:
    """The same, with one signature for every request."""
    token: str = json.loads(sample)["access_token"]
    before, after = sample.split(token.encode())
    signing = _Signing(token)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = before + signing.token() + after
        start_response("200 OK", _headers(len(body)))
        return [body]

    return answer


def flask_signed(sample: bytes) -> Wsgi:
    """A plain Flask view that looks at form and credentials, signs once, and checks nothing."""
    app, answer = Flask(__name__), json.loads(sample)
    signing = _Signing(answer["access_token"])

    @app.post(TOKEN_PATH)
    def token() -> Response | tuple[Response, int]:
        credentials = request.authorization
        if credentials is None or request.form["grant_type"] != "client_credentials":
            return jsonify(error="invalid_request"), 400
        return jsonify({**answer, "access_token": signing.token().decode()})

    return app


CEILINGS: dict[str, Callable[[bytes], Wsgi]] = {
    "constant": constant,
    "signed": signed,
    "flask_signed": flask_signed,
}


def load() -> Flask:
    """Our app, so that ``flask serve`` takes it, with a ceiling in the place of its edge."""
    app = start({name: os.environ[name] for name in os.environ if name.startswith("KEYTURN_")})
    sample = Path(os.environ[SAMPLE]).read_bytes()
    app.wsgi_app = CEILINGS[os.environ[NAME]](sample)  # type: ignore[assignment,method-assign]
    return app


def _headers(length: int) -> list[tuple[str, str]]:
    # As many as ours, since the server spends time on each.
    return [
        ("Content-Type", "application/json"),
        ("Content-Length", str(length)),
        ("Cache-Control", "no-store"),
        ("Pragma", "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Request-Id", "req_000000000000000000000000"),
    ]
