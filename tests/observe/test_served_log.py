"""A whole served run, refusals and bugs and all, leaves no secret in its log – and says enough."""

import base64
import json
import re
import sqlite3

import httpx
import pytest

from tests.support.installation import installed
from tests.support.served import eventually, start

MASTER_KEY = base64.urlsafe_b64encode(b"the master key of this test only").decode().rstrip("=")
FORM = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Everything that can be presented, presented everywhere; then the log, and the secrets."""
    directory = tmp_path_factory.mktemp("log")
    with installed(
        directory,
        KEYTURN_MASTER_KEY=MASTER_KEY,
        KEYTURN_METRICS_TOKEN="the-token-of-the-metrics-42",
        KEYTURN_LOG_LEVEL="debug",
        KEYTURN_METRICS_DIR=str(directory / "metrics"),
    ) as installation:
        everything = ["keyturn:*", "bookings:read"]
        client = installation.client(everything)
        key = installation.api_key(everything).key
        lost = installation.organization(scopes=["bookings:read"])
        orphan = installation.client(["bookings:read"], organization=lost)
        orphan_key = installation.api_key(["bookings:read"], organization=lost).key
        served = start(installation, workers=1)
        answers = []
        try:
            jwt = served.token(client)
            secrets = {
                MASTER_KEY,
                client.client_secret,
                orphan.client_secret,
                key,
                orphan_key,
                jwt,
                "the-token-of-the-metrics-42",
                base64.b64encode(":".join(client).encode()).decode(),
            }
            answers += present(served, client, key, jwt)
            break_organization(directory, lost)
            installation.services.directory.drop_everything()
            answers += bugs(served, client, orphan, orphan_key)
            break_database(directory)
            answers.append(served.ask(("unknown", client.client_secret)))
            answers.append(served.get("/v1/clients", headers={"Authorization": f"Bearer {key}"}))
            answers.append(served.get("/health/ready"))
            eventually(lambda: "feed: waits" in served.log())
        finally:
            served.stop()
        yield served.log(), secrets, answers


def present(served, client, key, jwt):
    """To every endpoint, in every place where it belongs and where it does not."""
    wrong_key, cut_key = key[:-1] + ("0" if key[-1] != "0" else "1"), key[:30]
    for secret in (client.client_secret, key, wrong_key, cut_key, jwt, jwt[:-4] + "AAAA", jwt[:60]):
        yield served.post("/oauth/token", data=FORM, auth=(client.client_id, secret))
        yield served.post("/oauth/token", data=FORM, auth=(secret, "x"))
        yield served.post("/oauth/token", data=FORM | {"scope": secret}, auth=client)
        yield served.post("/oauth/token", data=FORM | {"resource": secret}, auth=client)
        yield served.post("/oauth/token", data={"grant_type": secret}, auth=client)
        yield served.post("/oauth/token", params={"client_secret": secret}, data=FORM)
        yield served.post("/oauth/token", json={"client_secret": secret})
        yield served.post("/oauth/introspect", data={"token": secret}, auth=client)
        yield served.post("/oauth/revoke", data={"token": f"{secret}x"}, auth=client)
        bearer = {"Authorization": f"Bearer {secret}"}
        for path in ("/v1/me", f"/v1/api-keys/{secret}", f"/{secret}", "/metrics"):
            yield served.get(path, headers=bearer)
        yield served.get("/v1/clients", params={"cursor": secret}, headers=bearer)
        yield served.post("/v1/api-keys", json={"name": secret, "x": secret}, headers=bearer)
        yield served.get("/v1/me", headers={"Authorization": secret, "User-Agent": secret})
        yield served.get("/health", headers={"Cookie": secret, "Referer": f"https://x/?k={secret}"})


def bugs(served, client, orphan, key):
    """A row that cannot be missing is: a 500 at every edge."""
    yield served.post("/oauth/token", data=FORM, auth=orphan)
    yield served.post("/oauth/token", data=FORM, auth=orphan)
    yield served.post("/oauth/introspect", data={"token": key}, auth=client)
    yield served.get("/v1/me", headers={"Authorization": f"Bearer {key}"})


def break_organization(directory, organization):
    with sqlite3.connect(directory / "keyturn.db", timeout=20) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("DELETE FROM organizations WHERE id = ?", (organization,))
    connection.close()


def break_database(directory):
    with sqlite3.connect(directory / "keyturn.db", timeout=20) as connection:
        connection.execute("ALTER TABLE changes RENAME TO changes_away")
        connection.execute("ALTER TABLE feed_head RENAME TO feed_head_away")
        connection.execute("ALTER TABLE clients RENAME TO clients_away")
    connection.close()


def test_the_run_was_what_it_should_be(run):
    _, _, answers = run
    statuses = {answer.status_code for answer in answers}
    assert {200, 400, 401, 404, 500, 503} <= statuses
    assert sum(answer.status_code == 500 for answer in answers) >= 3


def test_no_secret_is_in_the_log(run):
    log, secrets, _ = run
    for secret in secrets:
        assert secret not in log
        # Nor any part of it that would be of use.
        body = secret.rpartition(".")[2] if "." in secret else secret.rpartition("_")[0] or secret
        for start_of_part in range(9, len(body) - 16, 4):
            assert body[start_of_part : start_of_part + 16] not in log, secret[:9]
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10,}\.", log)


def test_no_answer_shows_the_servers_environment(run):
    _, _, answers = run
    for answer in answers:
        assert MASTER_KEY not in answer.text
        assert "KEYTURN_" not in answer.text
        assert "wsgi." not in answer.text


def test_every_line_but_the_greeting_is_json(run):
    log, _, _ = run
    greeting, *lines = log.splitlines()
    assert greeting.startswith("Keyturn serves ")
    assert lines
    for line in lines:
        assert {"time", "level", "logger", "event"} <= set(json.loads(line)), line


def test_every_500_is_found_by_the_id_that_its_caller_was_told(run):
    log, _, answers = run
    lines = [json.loads(line) for line in log.splitlines()[1:]]
    for answer in answers:
        if answer.status_code == 500:
            request_id = answer.headers["X-Request-Id"]
            (line,) = [line for line in lines if line.get("request_id") == request_id]
            assert line["level"] == "error"
            assert "exception" in line or "traceback_of" in line
            assert "no organization" not in answer.text


def test_what_a_client_asks_is_answered_and_not_logged(run):
    log, _, _ = run
    events = [json.loads(line)["event"] for line in log.splitlines()[1:]]
    assert len(events) < 400  # some hundred requests, many of them with the same thing to say


def test_a_connection_that_cannot_be_made_does_not_say_the_password(tmp_path):
    with installed(tmp_path / "password") as installation:
        installation.environ["KEYTURN_DATABASE_URL"] = (
            "postgresql+psycopg://keyturn:very-secret-9@127.0.0.1:1/keyturn"
        )
        with pytest.raises(AssertionError) as refused:
            start(installation)
        assert "very-secret-9" not in str(refused.value)


def test_a_killed_worker_is_said_in_json(tmp_path):
    with installed(tmp_path / "killed") as installation:
        served = start(installation)
        try:
            served.workers()[0].kill()
            eventually(lambda: "Unexpected exit" in served.log())
            eventually(lambda: _answers(served), timeout=20)
        finally:
            served.stop()
        (line,) = [line for line in served.log().splitlines() if "Unexpected exit" in line]
        assert json.loads(line)["logger"] == "_granian"


def _answers(served):
    try:
        return httpx.get(f"{served.url}/health").is_success
    except httpx.TransportError:
        return False
