"""``/metrics`` of a served installation: who may see it, and that the numbers are right."""

import time

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.observe import metrics as known
from tests.support.installation import installed
from tests.support.served import HOST, eventually, free_port, serving, start

TOKEN = "a-token-of-the-metrics-0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def read(text):
    """Every sample, by its name and label values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def settings(directory, **also):
    return {"KEYTURN_METRICS_DIR": str(directory / "metrics"), **also}


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    directory = tmp_path_factory.mktemp("metrics")
    port = str(free_port())
    with installed(
        directory,
        **settings(directory, KEYTURN_METRICS_TOKEN=TOKEN, KEYTURN_METRICS_PORT=port),
    ) as made:
        yield made


@pytest.fixture(scope="module")
def server(installation):
    with serving(installation) as served:
        yield served


@pytest.fixture
def metrics(server):
    """What ``/metrics`` says now."""

    def now():
        response = server.get("/metrics", headers=BEARER)
        assert response.status_code == 200
        return read(response.text)

    return now


# Who may see it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": b"Bearer \xc3\xa9\xff"},
    ],
)
def test_nobody_without_the_token(server, headers):
    response = server.get("/metrics", headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="metrics"'
    assert "keyturn_" not in response.text


def test_not_by_the_url(server):
    assert server.get("/metrics", params={"token": TOKEN}).status_code == 401


def test_a_token_of_ours_is_not_the_token(server, installation):
    token = server.token(installation.client(["bookings:read"]))
    response = server.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401


def test_with_the_token(server):
    response = server.get("/metrics", headers=BEARER)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert response.headers["Cache-Control"] == "no-store"


def test_openmetrics_where_it_is_asked_for(server):
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    response = server.get("/metrics", headers=BEARER | accept)
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_the_own_listener_is_for_this_machine_alone(server, installation):
    port = int(installation.environ["KEYTURN_METRICS_PORT"])
    text = httpx.get(f"http://{HOST}:{port}/metrics").text
    assert "keyturn_worker_up 1.0" in text
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(server.process.pid).net_connections()
        if connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
    }
    assert listening == {HOST}
    for worker in server.workers():
        # One that outlives the first process must not keep the port from the next.
        assert port not in {one.laddr.port for one in worker.net_connections()}


def test_no_page_without_a_token(fresh_installation):
    for headers in ({}, BEARER):
        response = fresh_installation.http.get("/metrics", headers=headers)
        assert response.status_code == 404
    assert not (fresh_installation.directory / "metrics").exists()


# What it says -------------------------------------------------------------------------------------


def test_every_metric_is_there(server, installation, metrics):
    client = installation.client()
    server.token(client)
    names = {name for name, *_ in metrics()}
    for metric in known.ALL:
        assert set(metric.series) <= names, metric.name


def test_labels_are_of_their_lists(server, installation, metrics):
    client = installation.client(["keyturn:introspect"])
    key = installation.api_key()
    for token in (server.token(client), "x.y.z", key.key, key.key[:-1] + "0"):
        server.post("/oauth/introspect", data={"token": token}, auth=client)
    server.post("/oauth/token", data={"grant_type": "x"}, auth=client)
    server.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("x", "y"))
    server.get("/oauth/token")
    server.get("/v1/clients/kt_live_0123456789abcdef")
    server.get("/v1/no-such-thing")
    allowed = {name: metric for metric in known.ALL for name in metric.series}
    text = server.get("/metrics", headers=BEARER).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for label, value in sample.labels.items():
                if label not in ("le", "version"):
                    assert value in dict(allowed[sample.name].labels)[label], sample
    assert client.client_id not in text


def test_grants_by_outcome(server, installation, metrics):
    client = installation.client()
    # Only then is nothing dropped any more while we count what was in memory.
    head = installation.services.store.feed_head()
    eventually(lambda: metrics()["keyturn_feed_position",] >= head)
    before = metrics()
    for _ in range(5):
        server.token(client)
    server.ask(client, scope="reports:read")
    server.ask((client.client_id, "wrong"))
    server.ask(("nobody", "wrong"))
    server.ask(None)
    after = metrics()

    def more(*key):
        return after.get(key, 0) - before.get(key, 0)

    assert more("keyturn_grants_total", "issued", "none") == 5
    for reason in ("invalid_scope", "secret_mismatch", "unknown", "missing"):
        assert more("keyturn_grants_total", "refused", reason) == 1, reason
    assert more("keyturn_oauth_request_duration_seconds_count", "token") == 9
    assert 0 < more("keyturn_oauth_request_duration_seconds_sum", "token") < 20
    # Missed: the client's first time, and nobody.
    looked = [more("keyturn_directory_lookups_total", "client", how) for how in ("hit", "miss")]
    assert looked == [6, 2]
    # The two that failed to prove who they are count against their address.
    assert more("keyturn_limit_checks_total", "within") == 2


def test_verifications_and_the_management_api(server, installation, metrics):
    client = installation.client(["keyturn:introspect", "keyturn:clients:read"])
    elsewhere = installation.organization(scopes=["bookings:read"])
    theirs = installation.api_key(organization=elsewhere)
    expired = installation.api_key()
    installation.revoke_key(expired.id)
    token = server.token(client)
    before = metrics()
    for one in (token, token, theirs.key, expired.key):
        server.post("/oauth/introspect", data={"token": one}, auth=client)
    server.post("/oauth/revoke", data={"token": token}, auth=client)
    for _ in range(3):
        assert server.get("/v1/me").status_code == 401
    after = metrics()

    def more(*key):
        return after.get(key, 0) - before.get(key, 0)

    assert more("keyturn_verifications_total", "token", "active") == 2
    assert more("keyturn_verifications_total", "api_key", "revoked") == 1
    assert more("keyturn_introspections_total", "ok", "none") == 4
    assert more("keyturn_revocations_total", "ok", "none") == 1
    assert more("keyturn_api_responses_total", "4xx") == 3


def test_what_stands_behind_it(server, installation, metrics):
    server.token(installation.client())
    eventually(lambda: metrics()["keyturn_events_shipped_total",] > 0)
    found = metrics()
    assert found["keyturn_feed_lag_seconds",] < 5
    assert found["keyturn_feed_failures_total",] == 0
    assert found["keyturn_journal_limit_bytes",] == 512 * 1024 * 1024
    assert 0 <= found["keyturn_journal_bytes",] < 1024 * 1024
    assert 0 <= found["keyturn_journal_oldest_seconds",] < 60
    assert found["keyturn_worker_up",] == 1
    assert 0 < found["keyturn_signing_key_age_seconds", "current"] < 3600
    assert found["keyturn_signing_key_age_seconds", "previous"] == -1
    replaced = installation.services.keyring.signer.kid
    installation.rotate_signing_key()
    head = installation.services.store.feed_head()
    eventually(lambda: metrics()["keyturn_feed_position",] >= head)
    server.token(installation.client())  # signed by what is read anew
    found = metrics()
    for stage in ("next", "current", "previous"):
        assert 0 <= found["keyturn_signing_key_age_seconds", stage] < 3600
    installation.retire_signing_key(replaced)
    head = installation.services.store.feed_head()
    eventually(lambda: metrics()["keyturn_feed_position",] >= head)
    server.token(installation.client())
    assert metrics()["keyturn_signing_key_age_seconds", "previous"] == -1


def test_a_suspended_journal_grows_and_grows_old(fresh_installation):
    journal = fresh_installation.services.journal
    assert journal.age() == 0
    journal.append(b"{}\n")
    time.sleep(0.05)
    assert 0.04 < journal.age() < 60
    assert journal.depth() == 3


# Several workers, and their deaths ----------------------------------------------------------------


def test_workers_are_one_and_the_dead_are_counted_on(tmp_path):
    port = free_port()
    with installed(
        tmp_path / "several", **settings(tmp_path, KEYTURN_METRICS_PORT=str(port))
    ) as installation:

        def now():
            return read(httpx.get(f"http://{HOST}:{port}/metrics").text)

        def issued():
            return now().get(("keyturn_grants_total", "issued", "none"))

        served = start(installation, workers=2)
        try:
            # Up before anybody has asked them for anything.
            eventually(lambda: now().get(("keyturn_worker_up",)) == 2, timeout=30)
            client = installation.client()
            for round in range(1, 4):
                for _ in range(20):
                    with httpx.Client(base_url=served.url) as fresh:  # another worker, perhaps
                        assert fresh.post(
                            "/oauth/token", data={"grant_type": "client_credentials"}, auth=client
                        ).is_success
                eventually(lambda: issued() == 20 * round)  # noqa: B023 - called at once
                served.workers()[0].kill()
                eventually(lambda: now().get(("keyturn_worker_up",)) == 2, timeout=30)
                assert issued() == 20 * round
        finally:
            served.stop()
        # The next start begins anew, and says so: a counter from before is a lie about this one.
        served = start(installation)
        try:
            eventually(lambda: now().get(("keyturn_worker_up",)) == 1, timeout=30)
            assert issued() == 0
        finally:
            served.stop()


def test_the_last_second_is_counted(tmp_path):
    with installed(
        tmp_path / "last", **settings(tmp_path, KEYTURN_METRICS_TOKEN=TOKEN)
    ) as installation:
        served = start(installation)
        client = installation.client()
        for _ in range(30):
            served.token(client)
        served.stop()
        from app.observe.exposition import exposition

        found = read(exposition(tmp_path / "metrics", "")[0].decode())
        assert found["keyturn_grants_total", "issued", "none"] == 30
        # The journal's end comes first, and is counted as well.
        assert found["keyturn_events_shipped_total",] == 30
        assert ("keyturn_worker_up",) not in found


def test_a_directory_that_cannot_be_had_stops_the_start(tmp_path):
    (tmp_path / "metrics").write_text("not a directory")
    with (
        installed(
            tmp_path / "no", **settings(tmp_path, KEYTURN_METRICS_PORT=str(free_port()))
        ) as installation,
        pytest.raises(AssertionError, match="keyturn: The metrics cannot be shown"),
    ):
        start(installation)


def test_a_directory_that_is_lost_stops_no_grant(tmp_path):
    with installed(
        tmp_path / "lost", **settings(tmp_path, KEYTURN_METRICS_TOKEN=TOKEN)
    ) as installation:
        (tmp_path / "metrics").write_text("not a directory")
        client = installation.client()
        for _ in range(3):
            response = installation.http.post(
                "/oauth/token", data={"grant_type": "client_credentials"}, auth=client
            )
            assert response.status_code == 200
            installation.services.reporter.once()
        assert installation.http.get("/metrics", headers=BEARER).status_code == 503
