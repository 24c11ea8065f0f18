"""Traces: a span for each request, continued from its caller; and nothing at all where unwanted."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.installation import ROOT, installed, process_environ
from tests.support.served import HOST, eventually, serving

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Collector:
    """What an OTLP collector would have received."""

    def __init__(self):
        collector = self
        self.requests = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    raise AssertionError("not asked for")
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self.server.server_port}/v1/traces"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def resources(self):
        return [one.resource for request in self.requests for one in request.resource_spans]

    @property
    def spans(self):
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


def attributes(of):
    return {one.key: one.value.string_value or one.value.int_value or None for one in of.attributes}


@pytest.fixture(scope="module")
def collector():
    running = Collector()
    yield running
    running.close()


@pytest.fixture(scope="module")
def traced(tmp_path_factory, collector):
    """A served run with some requests, ended: what was not sent is sent then."""
    with installed(
        tmp_path_factory.mktemp("traced"), KEYTURN_TRACES_ENDPOINT=collector.url
    ) as installation:
        with serving(installation, OTEL_RESOURCE_ATTRIBUTES="deployment=test") as server:
            client = installation.client(["keyturn:clients:read"])
            key = installation.api_key(["keyturn:clients:read"]).key
            basic = {"auth": client, "data": {"grant_type": "client_credentials"}}
            asked = {
                "token": server.post("/oauth/token", **basic, headers={"traceparent": TRACEPARENT}),
                "on its own": server.post("/oauth/token", **basic),
                "not wanted": server.post(
                    "/oauth/token",
                    **basic,
                    headers={"traceparent": TRACEPARENT.replace(TRACE, "1" * 32)[:-1] + "0"},
                ),
                "malformed": server.post(
                    "/oauth/token", **basic, headers={"traceparent": "00-zz-yy-01"}
                ),
                "refused": server.post("/oauth/token", auth=client),
                "introspect": server.post("/oauth/introspect", auth=client),
                "api": server.get(
                    f"/v1/clients/{client.client_id}", headers={"Authorization": f"Bearer {key}"}
                ),
                "key in the path": server.get(f"/v1/api-keys/{key}"),
                "nowhere": server.get(f"/v1/{key}"),
                "method": server.request("FROBNICATE", "/oauth/token"),
            }
            server.get("/health")
            server.get("/.well-known/jwks.json")
        # The worker has ended; its last spans came with that.
        eventually(lambda: len(collector.spans) >= 9)
        yield {name: answer.headers["X-Request-Id"] for name, answer in asked.items()}, collector


@pytest.fixture
def span(traced):
    ids, collector = traced

    def of(name):
        (found,) = [
            one for one in collector.spans if attributes(one).get("keyturn.request_id") == ids[name]
        ]
        return found

    return of


def test_a_callers_trace_is_continued(span):
    found = span("token")
    assert (found.trace_id.hex(), found.parent_span_id.hex()) == (TRACE, PARENT)
    assert found.name == "POST /oauth/token"
    assert found.kind == found.SPAN_KIND_SERVER
    assert found.end_time_unix_nano > found.start_time_unix_nano
    said = attributes(found)
    assert said["http.request.method"] == "POST"
    assert said["http.route"] == "/oauth/token"
    assert said["http.response.status_code"] == 200


@pytest.mark.parametrize("name", ["on its own", "malformed"])
def test_a_new_trace_where_there_is_none(span, name):
    found = span(name)
    assert found.trace_id.hex() != TRACE
    assert not found.parent_span_id


def test_a_caller_that_wants_no_trace_gets_none(traced):
    ids, collector = traced
    assert ids["not wanted"] not in [
        attributes(one).get("keyturn.request_id") for one in collector.spans
    ]


def test_a_refusal_is_no_error_of_ours(span):
    found = span("refused")
    assert attributes(found)["http.response.status_code"] == 400
    assert found.status.code == found.status.STATUS_CODE_UNSET


def test_the_management_api_is_named_by_its_routes(span):
    assert span("api").name == "GET /v1/clients/<client_id>"
    assert span("introspect").name == "POST /oauth/introspect"
    assert span("nowhere").name == "GET /v1/"
    assert span("method").name == "_OTHER /oauth/token"


def test_no_secret_and_no_id_is_in_a_span(traced, span):
    _, collector = traced
    everything = "".join(map(str, collector.requests))
    assert "kt_live_" not in everything
    assert "kts_live_" not in everything
    assert "eyJ" not in everything
    assert span("key in the path").name == "GET /v1/api-keys/<key_id>"


def test_only_what_matters_is_traced(traced):
    ids, collector = traced
    assert len(collector.spans) == len(ids) - 1


def test_whose_spans_they_are(traced):
    _, collector = traced
    said = attributes(collector.resources[0])
    assert said["service.name"] == "keyturn"
    assert said["deployment"] == "test"


def test_a_log_line_names_its_trace(tmp_path, collector):
    with (
        installed(tmp_path / "line", KEYTURN_TRACES_ENDPOINT=collector.url) as installation,
        serving(installation) as server,
    ):
        server.get("/v1/me", headers={"traceparent": TRACEPARENT})
        server.get("/v1/me", headers={"Authorization": "Bearer kt_live_x"})
        lines = server.log()
    assert f'"trace_id": "{TRACE}"' in lines


def test_a_collector_that_is_away_stops_nothing(tmp_path):
    with (
        installed(
            tmp_path / "away", KEYTURN_TRACES_ENDPOINT=f"http://{HOST}:1/v1/traces"
        ) as installation,
        serving(installation, OTEL_BSP_SCHEDULE_DELAY="100") as server,
    ):
        client = installation.client()
        for _ in range(20):
            server.token(client)


def test_the_share_that_is_kept(tmp_path):
    running = Collector()
    try:
        with (
            installed(
                tmp_path / "share",
                KEYTURN_TRACES_ENDPOINT=running.url,
                KEYTURN_TRACES_RATIO="0",
            ) as installation,
            serving(installation) as server,
        ):
            client = installation.client()
            server.token(client)
            server.post("/oauth/token", headers={"traceparent": TRACEPARENT})
        assert not running.spans
    finally:
        running.close()


# Where it is not wanted ---------------------------------------------------------------------------

PROGRAM = """
import io, sys
{before}
from app import start
app = start({environ!r})
status = []
environ = {{"REQUEST_METHOD": "POST", "PATH_INFO": "/oauth/token", "QUERY_STRING": "",
    "HTTP_TRACEPARENT": {traceparent!r}, "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http",
    "SERVER_NAME": "x", "SERVER_PORT": "1", "REMOTE_ADDR": "127.0.0.1"}}
app.wsgi_app._start = lambda: None
b"".join(app(environ, lambda line, *_: status.append(line)))
assert status == ["400 Bad Request"], status
loaded = sorted(name for name in sys.modules if name.startswith("opentelemetry"))
print(loaded)
"""


def program(tmp_path, before="", **also):
    environ = {"KEYTURN_DATABASE_URL": f"sqlite:///{tmp_path}/k.db",
               "KEYTURN_JOURNAL_DIR": f"{tmp_path}/journal"} | also  # fmt: skip
    code = PROGRAM.format(before=before, environ=environ, traceparent=TRACEPARENT)
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=process_environ({}),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_not_configured_is_not_imported(tmp_path):
    done = program(tmp_path)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


ABSENT = """
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name, name="opentelemetry")
sys.meta_path.insert(0, Absent())
"""


def test_not_installed_is_said_and_stops_nothing(tmp_path):
    done = program(tmp_path, ABSENT, KEYTURN_TRACES_ENDPOINT="http://127.0.0.1:1/v1/traces")
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    assert "KEYTURN_TRACES_ENDPOINT is set, but opentelemetry is not installed" in done.stderr
