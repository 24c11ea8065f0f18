"""How a serving process ends: once, in order, whatever one part does; and what it never shows."""

import json
import secrets
import subprocess
import sys
from base64 import urlsafe_b64encode

import httpx
import pytest

from app.background import Background
from app.tokens.uses import UsesInMemory
from tests.support.installation import ROOT, installed
from tests.support.served import eventually, start


class Part:
    def __init__(self, name, said, breaks=False):
        self.name, self.said, self.breaks = name, said, breaks

    def start(self):
        self.said.append(f"{self.name} begins")

    def stop(self):
        self.said.append(f"{self.name} ends")
        if self.breaks:
            raise ValueError(f"{self.name} is broken")


def test_it_ends_in_order_though_one_part_fails(caplog):
    said = []
    background = Background(Part("one", said, breaks=True), Part("two", said))
    background.then(lambda: said.append("the logs are written"))
    background.start()
    background.start()
    background.stop()
    assert said == ["one begins", "two begins", "one ends", "two ends", "the logs are written"]
    assert "one is broken" in caplog.text


def test_a_bug_in_one_turn_does_not_end_the_thread(installation, caplog):
    """Of what counts uses: the one that breaks it is lost, and said; those after it are counted."""
    key = installation.api_key()
    organization = installation.organization_id
    uses = UsesInMemory(installation.services.store, interval=0.01)
    uses.start()
    try:
        uses.note("api_key", key.id, organization, "broken", ip=["no text"])
        eventually(lambda: "uses: the turn failed" in caplog.text)
        assert "Traceback" in caplog.text
        uses.note("api_key", key.id, organization, "whole")
        counted = "SELECT route_class FROM usage_counts WHERE credential_id = :id"
        found = eventually(lambda: installation.rows(counted, id=key.id))
        assert [row.route_class for row in found] == ["whole"]
    finally:
        uses.stop()


PROGRAM = """
import multiprocessing, sys
from app.background import Background
class Part:
    start = lambda self: None
    stop = lambda self: print("ended", flush=True)
def work():
    Background(Part()).start()
if sys.argv[1] == "itself":
    work()
else:
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
"""


@pytest.mark.parametrize("where", ["itself", "in a worker"])
def test_it_ends_with_its_process(where):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, where], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("ended\n", "")


WSGI = """
import json, multiprocessing, os
from app import start
if {method!r} != multiprocessing.get_start_method():
    multiprocessing.set_start_method({method!r}, force=True)
app = start(os.environ)
inner = app.wsgi_app
def show(environ, start_response):
    if environ["PATH_INFO"] != "/environ":
        return inner(environ, start_response)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([dict(os.environ), {{k: str(v) for k, v in environ.items()}}]).encode()]
app.wsgi_app = show
"""


def environ_of_a_request(served):
    """From a connection of its own; None while there is no worker."""
    try:
        return httpx.get(f"{served.url}/environ").text
    except httpx.TransportError:
        return None


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_no_secret_is_in_the_environment_of_a_request(tmp_path, method):
    """The server gives its whole environment to every request; ours holds no secret by then."""
    (tmp_path / "wsgi.py").write_text(WSGI.format(method=method))
    secret = {
        "KEYTURN_MASTER_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="),
        "KEYTURN_METRICS_TOKEN": secrets.token_urlsafe(24),
        "KEYTURN_DATABASE_URL": f"sqlite:///{tmp_path}/keyturn.db",
        "KEYTURN_CLIENT_SECRET": "kts_live_of_a_neighbour",
    }
    also = {"KEYTURN_METRICS_DIR": str(tmp_path / "metrics")}
    with installed(tmp_path / "installation", **secret, **also) as installation:
        client = installation.client()
        served = start(installation, FLASK_APP=str(tmp_path / "wsgi.py"), PYTHONPATH=str(ROOT))
        try:
            first = environ_of_a_request(served)
            served.workers()[0].kill()
            # Who takes a dead worker's place is told the secrets too, and forgets them as well.
            second = eventually(lambda: environ_of_a_request(served), timeout=120, every=0.2)
            grant = {"grant_type": "client_credentials"}
            assert httpx.post(f"{served.url}/oauth/token", data=grant, auth=client).is_success
        finally:
            served.stop()
    for shown in (first, second):
        for environ in json.loads(shown):
            assert environ["KEYTURN_METRICS_DIR"] == also["KEYTURN_METRICS_DIR"]
            assert not set(environ) & set(secret)
        assert not [value for value in secret.values() if value in shown]
