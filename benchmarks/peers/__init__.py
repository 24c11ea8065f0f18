"""Other people's servers, set up as their documentation says, asked what ours is asked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from app.cli.server import QUEUE
from benchmarks.contenders import Contender, Served, Workbench
from benchmarks.installation import AUDIENCE, SCOPES
from benchmarks.peers import authlib_flask

_OIDC_PROVIDER = Path(__file__).with_name("oidc-provider")
_NODE = shutil.which("node")


def _oidc_provider(bench: Workbench, port: int) -> Served:
    command = [_NODE or "node", "server.mjs", str(port), str(_settings(bench))]
    environ = {"NODE_ENV": "production"}
    return Served(command, bench.token_requests, environ, _OIDC_PROVIDER)


def _authlib(*, saves_tokens: bool) -> Callable[[Workbench, int], Served]:
    def serve(bench: Workbench, port: int) -> Served:
        # As `flask serve` starts Granian.
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port),
            "--workers", "1", "--blocking-threads", str(bench.threads), "--http", "1", "--no-ws",
            "--backlog", str(QUEUE), "--backpressure", str(QUEUE), "--log-level", "error",
            "benchmarks.peers.authlib_flask:app",
        ]  # fmt: skip
        environ = {
            authlib_flask.SETTINGS: str(_settings(bench)),
            authlib_flask.DATABASE: str(bench.directory / f"authlib-{port}.db"),
            authlib_flask.SAVES: "1" if saves_tokens else "0",
        }
        return Served(command, bench.token_requests, environ)

    return serve


def _settings(bench: Workbench) -> Path:
    """What a peer is told: the clients of ours, and what they may have."""
    path = bench.directory / "peers.json"
    settings = {
        "issuer": "http://127.0.0.1:8000",
        "audience": AUDIENCE,
        "scope": " ".join(SCOPES),
        "clients": [client._asdict() for client in bench.clients],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(settings))
    return path


OIDC_PROVIDER = Contender("oidc-provider", _oidc_provider)
AUTHLIB = (
    Contender("Authlib's Flask server", _authlib(saves_tokens=True)),
    Contender("– without saving tokens", _authlib(saves_tokens=False)),
)


def present() -> tuple[Contender, ...]:
    """Those that can be measured here."""
    return AUTHLIB if missing() else (OIDC_PROVIDER, *AUTHLIB)


def missing() -> str | None:
    """What is not measured, and why."""
    if _NODE is None:
        return "oidc-provider is not measured: no node"
    if not (_OIDC_PROVIDER / "node_modules" / "oidc-provider").is_dir():
        return "oidc-provider is not measured: not installed (`make bench` does)"
    return None


def versions() -> str:
    """Of what is not among our own packages."""
    if _NODE is None or missing():
        return "–"
    said = subprocess.run([_NODE, "--version"], capture_output=True, text=True, timeout=10)
    package = json.loads((_OIDC_PROVIDER / "package.json").read_text())
    return f"oidc-provider {package['dependencies']['oidc-provider']} on Node {said.stdout.strip()}"
