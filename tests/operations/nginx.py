"""``deploy/nginx.conf`` as it is, but for addresses, ports, patience and where it writes."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.installation import ROOT
from tests.support.served import HOST, eventually, free_port

CONF = ROOT / "deploy" / "nginx.conf"
NODES = re.compile(r"( *server )node\d:8000( .*;)\n")


def program() -> str:
    """Skips the test where nginx is not installed: it comes with no wheel."""
    found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("nginx is not installed")
    return found


def rewritten(directory: Path, port: int, nodes: Sequence[int]) -> Path:
    """The file for this machine."""
    text = CONF.read_text()
    lines = NODES.findall(text)
    assert len(lines) == 3
    head, tail = lines[0]
    servers = "".join(f"{head}{HOST}:{node}{tail}\n" for node in nodes)
    text = NODES.sub("", text.replace("        server node1", f"{servers}        server node1", 1))
    text = text.replace("listen 8080", f"listen {HOST}:{port}")
    # Whoever waits behind a slow one does so for longer than a test would.
    text = re.sub(r"(client_(?:header|body)_timeout) \w+", r"\1 600s", text)
    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi", "nginx.pid"):
        text = text.replace(f"/tmp/{name}", str(directory / name))
    text = text.replace("/dev/stdout", str(directory / "access.log"))
    text = text.replace("/dev/stderr", str(directory / "error.log"))
    path = directory / "nginx.conf"
    path.write_text(text)
    return path


def check(conf: Path) -> None:
    """What ``nginx -t`` says of it."""
    done = subprocess.run([program(), "-t", "-c", conf], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


class Front:
    """A running nginx."""

    def __init__(self, port: int, directory: Path) -> None:
        self.port = port
        self.http = httpx.Client(base_url=f"http://{HOST}:{port}", timeout=20)
        self._directory = directory

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=20)

    def log(self) -> str:
        return (self._directory / "access.log").read_text()


@contextmanager
def in_front_of(directory: Path, *nodes: int) -> Iterator[Front]:
    """nginx before servers on these ports of this machine."""
    name = program()
    directory.mkdir(parents=True, exist_ok=True)
    front = Front(free_port(), directory)
    process = subprocess.Popen(
        [name, "-c", rewritten(directory, front.port, nodes), "-g", "daemon off;"]
    )
    try:
        eventually(lambda: _listens(front), timeout=20)
        yield front
    finally:
        front.http.close()
        process.terminate()
        process.wait(timeout=20)


def _listens(front: Front) -> bool:
    try:
        front.connect().close()
    except OSError:
        return False
    return True
