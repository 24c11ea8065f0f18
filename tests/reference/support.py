"""A product of `examples/bookings/products.json`, really served, and its page's examples."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

from examples.bookings.declare import environ_of, read_products
from tests.examples.support import AUDIENCE, SCOPES, declare
from tests.support import forked
from tests.support.installation import ROOT, process_environ
from tests.support.served import HOST, eventually, free_port

AXIOS = "axios@1.21.1"


class Product:
    """Its organization, its API over HTTP, and Keyturn behind it."""

    def __init__(self, installation, server, organization, environment, url, log):
        self.installation = installation
        self.server = server
        self.organization = organization
        self.environment = environment
        self.url = url
        self.log = log
        self.http = httpx.Client(base_url=url, timeout=20, trust_env=False)

    def key(self, scopes=SCOPES, **also):
        """A new key of this product."""
        also.setdefault("environment", self.environment)
        return self.installation.api_key(
            sorted(scopes) if "preset" not in also else (), organization=self.organization, **also
        )

    def get(self, path, authorization=None, **also):
        headers = {"Authorization": authorization} if authorization else {}
        return self.http.get(path, headers=headers | also.pop("headers", {}), **also)

    def with_key(self, key, path="/v1/experiences", **also):
        return self.get(path, f"Bearer {key}", **also)

    def reason(self, response):
        """Why, in the log of the API's owner, by the id of the request."""
        line = re.compile(rf"refused .*: (\S+) .*\({response.headers['X-Request-Id']}\)")
        return eventually(lambda: line.search(self.log.read_text()), timeout=5)[1]

    def revoked(self):
        made = self.key()
        self.installation.revoke_key(made.id, organization=self.organization)
        return made.key


@contextmanager
def founded(installation, server, name, *, for_all=False):
    """As its README says: declare the product, start the API with what that prints.

    `for_all`: its customers are organizations of their own, so that the API and its catalogue are
    the operator's, too.
    """
    product = read_products()[name]
    declared = declare(installation, "--product", name)
    assert declared.returncode == 0, declared.stderr
    [row] = installation.rows("SELECT id FROM organizations WHERE name = :name", name=name)
    asker = installation.client(
        ["keyturn:introspect"], organization=row.id, environment=product["environments"][0]
    )
    templates = {}
    if for_all:
        assert declare(installation).returncode == 0
        asker = installation.client(["keyturn:introspect", "keyturn:organizations:read"])
        templates["KEY_TEMPLATES"] = json.dumps([product["key_template"], {}])
    port, log = free_port(), installation.directory / "api.log"
    environ = {
        "ISSUER": server.url,
        "AUDIENCE": AUDIENCE,
        "CLIENT_ID": asker.client_id,
        "CLIENT_SECRET": asker.client_secret,
        "MAX_STALENESS": "0",
        **environ_of(product),
        **templates,
    }
    with log.open("wb") as output:
        process = forked.begin(
            ["--interface", "wsgi", "--factory", "examples.bookings.app:create_app",
             "--host", HOST, "--port", str(port),
             "--blocking-threads", "4", "--no-ws", "--log-level", "error"],
            process_environ(environ), output.fileno(), module="granian",
        )  # fmt: skip
    environment = product["environments"][0]
    made = Product(installation, server, row.id, environment, f"http://{HOST}:{port}", log)
    try:
        eventually(lambda: _lives(made, process), timeout=60, every=0.05)
        yield made
    finally:
        made.http.close()
        process.terminate()
        process.wait(timeout=20)


def _lives(made, process):
    assert process.poll() is None, made.log.read_text()
    try:
        return made.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def called_with_the_printed_line(product, variable):
    """What the example prints that reads its key from the environment, where the .env line of the
    key's creation was put."""
    runner = product.installation.app.test_cli_runner()
    arguments = ["key", "create", "--name", "x", "--scope", "experiences:read"]
    arguments += ["--environment", product.environment]
    done = runner.invoke(args=[*arguments, "--org", product.organization])
    assert done.exit_code == 0, done.output
    [line] = [line for line in done.stdout.splitlines() if line.startswith(f"{variable}=")]
    command = [sys.executable, "-m", "examples.bookings.caller", product.url, variable]
    return _run(command, cwd=ROOT, **dict([line.split("=", 1)]))


# The documents' own examples ---------------------------------------------------------------------


def replaced(text, replacements):
    """An example with nothing changed but host and credentials; each must be in it."""
    for before, after in replacements.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


def shell(text):
    """What a line of curl prints."""
    return _run(["bash", "-c", text])


def python(text):
    """What a piece of Python leaves in `response`: status and body."""
    return _run([sys.executable, "-c", f"{text}\nprint(response.status_code, response.text)"])


def javascript(text, directory, *, printing, module=True):
    """The same of a piece of JavaScript, by Node. `require` and `await` do not go together outside
    of a function, so that what requires is put into one."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    text = f"{text}\nconsole.log({printing});"
    if not module:
        text = f"(async () => {{\n{text}\n}})();"
    script = directory / ("example.mjs" if module else "example.cjs")
    script.write_text(text)
    return _run([node, str(script)], cwd=directory)


def with_axios(directory):
    """The directory, with axios installed in it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm")
    installed = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--prefix", str(directory), AXIOS],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    if installed.returncode != 0:
        pytest.skip(f"axios cannot be installed: {installed.stderr[-200:]}")
    return directory


def _run(command, cwd=None, **also):
    environ = process_environ({"NO_PROXY": HOST, "no_proxy": HOST, **also})
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
