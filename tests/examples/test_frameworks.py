"""The small examples of `examples/frameworks`, started as their README says."""

import re
import shlex
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

from tests.support.installation import ROOT, process_environ
from tests.support.served import eventually, free_port

README = ROOT / "examples" / "frameworks" / "README.md"
EXAMPLES = dict(re.findall(r"^\| `(\w+)\.py`[^|]*\| `([^`]+)`", README.read_text(), re.MULTILINE))


@contextmanager
def started(command, port, environ, cwd=ROOT):
    """What answers at this port, once it does."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=process_environ(environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:

            def answers():
                try:
                    return process.poll() is not None or http.get("/health").status_code == 200
                except httpx.TransportError:
                    return False

            eventually(answers, timeout=40)
            assert process.poll() is None, process.stdout.read()
            yield http
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def asked(installation, server):
    """As whom the API asks, which is known at one address for all examples."""
    own = installation.client(["keyturn:introspect"])
    return {"ISSUER": server.url, "CLIENT_ID": own.client_id, "CLIENT_SECRET": own.client_secret}


def check(http, installation, server):
    """What every one of them does, with what the served issuer gives out for it."""
    resource = str(http.base_url)
    installation.resource(resource, scopes=["bookings:*"])
    client = installation.client(["bookings:read"])
    # Another process has made it known; the server hears of that in a moment.
    eventually(lambda: server.ask(client, resource=resource).status_code == 200)
    token = server.token(client, resource=resource)
    for credential in (token, installation.api_key(["bookings:read"]).key):
        headers = {"Authorization": f"Bearer {credential}"}
        passed = http.get("/bookings", headers=headers)
        assert passed.json() == {"bookings_of": installation.organization_id}
        assert passed.headers["X-RateLimit-Limit"] == "600"
        refused = http.post("/bookings", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    challenge = http.get("/bookings").headers["WWW-Authenticate"]
    [found] = re.findall('resource_metadata="([^"]*)"', challenge)
    assert "bookings:create" in http.get(found).json()["scopes_supported"]


def command_of(name, port, python=sys.executable):
    """As the README starts it, at this port."""
    program, *arguments = shlex.split(EXAMPLES[name])
    if program == "python":
        return [python, *arguments, str(port)]
    return [python, "-m", program, *arguments, "--host", "127.0.0.1", "--port", str(port)]


def test_each_is_in_the_readme():
    files = {path.stem for path in README.parent.glob("*.py")}
    assert set(EXAMPLES) == files - {"__init__", "policy"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example(installation, server, asked, name):
    port = free_port()
    command = command_of(name, port)
    environ = asked | {"AUDIENCE": f"http://127.0.0.1:{port}"}
    with started(command, port, environ) as http:
        check(http, installation, server)
