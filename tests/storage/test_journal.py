"""The journal: no token without its event, no event twice, whatever dies in between."""

import json
import os
import resource
import signal
import threading
from collections import Counter
from contextlib import contextmanager

import pytest

from app.errors import Unavailable
from app.storage.journal import Journal
from app.storage.shipping import REJECTED, ship
from tests.storage.journals import GRANT, LIMIT, a_line, ask, segment
from tests.support.hammer import assert_each_has_one_event, events, hammered
from tests.support.installation import installed
from tests.support.served import eventually, serving, start
from tests.support.tokens import unverified

# What is written ------------------------------------------------------------------------------


def test_an_issued_token_is_one_event(any_installation):
    client = any_installation.client(["bookings:*"])
    response = any_installation.http.post(
        "/oauth/token",
        data=GRANT | {"scope": "bookings:read"},
        auth=client,
        headers={"User-Agent": "machine/1.0"},
    )
    claims = unverified(response.json()["access_token"])
    any_installation.services.shipper.ship_now()
    (row,) = any_installation.rows("SELECT * FROM audit_events WHERE type = 'token.issued'")
    event = row._mapping
    details = event["details"]
    details = json.loads(details) if isinstance(details, str) else details
    assert event["actor_type"] == "client"
    assert event["actor_id"] == client.client_id
    assert event["organization_id"] == any_installation.organization_id
    assert (event["target_type"], event["target_id"]) == ("token", claims["jti"])
    assert event["outcome"] == "success"
    assert event["ip"] == "127.0.0.1"
    assert event["user_agent"] == "machine/1.0"
    assert event["request_id"] == response.headers["X-Request-Id"]
    assert details["scope"] == "bookings:read"
    assert details["exp"] == claims["exp"]
    assert details["aud"] == claims["aud"]


@pytest.mark.parametrize(
    ("spoil", "reason", "is_known"),
    [
        ({"client_secret": "kts_live_wrong"}, "secret_mismatch", True),
        ({"client_id": "client_unknown"}, "invalid_client", False),
    ],
)
def test_a_refusal_is_one_event_for_its_owner(any_installation, spoil, reason, is_known):
    client = any_installation.client()
    sent = client._replace(**spoil)
    assert ask(any_installation, sent).status_code == 401
    any_installation.services.shipper.ship_now()
    ((actor_type, actor_id, found),) = any_installation.rows(
        "SELECT actor_type, actor_id, reason FROM audit_events WHERE type = 'token.refused'"
    )
    assert found == reason
    expected = ("client", client.client_id) if is_known else ("anonymous", None)
    assert (actor_type, actor_id) == expected


def test_no_secret_and_no_token_is_ever_written(any_installation):
    client = any_installation.client(["keyturn:introspect"])
    key = any_installation.api_key()
    http = any_installation.http
    token = ask(any_installation, client).json()["access_token"]
    for presented in (token, key.key):
        http.post("/oauth/introspect", data={"token": presented}, auth=client)
        http.post("/oauth/revoke", data={"token": presented}, auth=client)
    # Also where it does not belong: as the client_id, the scope, the user agent's own affair aside.
    ask(any_installation, (client.client_secret, client.client_id))
    ask(any_installation, client, scope=client.client_secret)
    ask(any_installation, client, resource=key.key)
    any_installation.services.shipper.ship_now()
    written = str([tuple(row) for row in any_installation.rows("SELECT * FROM audit_events")])
    for secret in (client.client_secret, key.key, token, token.split(".")[2]):
        assert secret not in written
    for path in any_installation.journal_dir.iterdir():
        assert client.client_secret.encode() not in path.read_bytes()


def test_the_journal_is_for_nobody_elses_eyes(any_installation):
    ask(any_installation, any_installation.client())
    directory = any_installation.journal_dir
    assert directory.stat().st_mode & 0o077 == 0
    for path in directory.iterdir():
        assert path.stat().st_mode & 0o077 == 0


# Exactly once ---------------------------------------------------------------------------------


def test_shipping_twice_changes_nothing(any_installation, journal):
    """As after a crash between the commit and the removal of the file."""
    for number in range(10):
        journal.append(a_line(number))
    journal.close()
    (segment,) = any_installation.journal_dir.glob("*.jsonl")
    content = segment.read_bytes()
    assert ship(journal, any_installation.desk.store) == 10
    assert not segment.exists()
    before = any_installation.rows("SELECT * FROM audit_events ORDER BY id")
    segment.write_bytes(content)
    ship(journal, any_installation.desk.store)
    assert any_installation.rows("SELECT * FROM audit_events ORDER BY id") == before
    assert not segment.exists()


def test_a_segment_that_is_appended_to_is_not_shipped(any_installation, journal):
    journal.append(a_line())
    assert ship(any_installation.services.journal, any_installation.desk.store) == 0
    journal.seal()
    assert ship(any_installation.services.journal, any_installation.desk.store) == 1


def test_many_append_while_several_ship(any_installation):
    """Threads of one process, journals of several, and as many that ship as there are."""
    store = any_installation.desk.store
    journals = [Journal(str(any_installation.journal_dir), LIMIT) for _ in range(2)]
    done = threading.Event()
    failed = []

    def append(journal, first):
        for number in range(first, first + 150):
            journal.append(a_line(number))

    def ship_on(journal):
        try:
            while not done.is_set():
                journal.seal()
                ship(journal, store)
        except Exception as error:  # noqa: BLE001 - shown below
            failed.append(error)

    appending = [
        threading.Thread(target=append, args=(journals[n % 2], n * 1000)) for n in range(4)
    ]
    shipping = [threading.Thread(target=ship_on, args=(journal,)) for journal in journals]
    for thread in (*appending, *shipping):
        thread.start()
    for thread in appending:
        thread.join(timeout=60)
    done.set()
    for thread in shipping:
        thread.join(timeout=60)
    for journal in journals:
        journal.close()
        ship(journal, store)
    assert failed == []
    found = Counter(row.target_id for row in events(any_installation))
    assert found == Counter(f"jti-{n * 1000 + k}" for n in range(4) for k in range(150))


def test_every_token_that_arrived_has_its_event_after_a_crash(any_installation):
    client = any_installation.client()
    server = start(any_installation)
    try:
        with hammered(server, client) as received:
            eventually(lambda: len(received()) > 200, timeout=60)
            server.kill()
    finally:
        server.kill()
    assert list(any_installation.journal_dir.glob("*.jsonl")), "killed in the middle of the work"
    with serving(any_installation) as again:
        assert_each_has_one_event(any_installation, received())
        assert again.ask(client).status_code == 200


def test_a_worker_that_dies_is_replaced_and_loses_nothing(fresh_installation):
    client = fresh_installation.client()
    with serving(fresh_installation) as server:
        with hammered(server, client) as received:
            eventually(lambda: len(received()) > 100, timeout=60)
            (worker,) = server.workers()
            worker.send_signal(signal.SIGKILL)
            so_far = len(received())
            eventually(lambda: len(received()) > so_far + 100, timeout=60)
            assert [one.pid for one in server.workers()] != [worker.pid]
        assert_each_has_one_event(fresh_installation, received())


def test_an_orderly_stop_ships_everything(fresh_installation):
    client = fresh_installation.client()
    with serving(fresh_installation) as server:
        jtis = {unverified(server.token(client))["jti"] for _ in range(20)}
    assert {row.target_id for row in events(fresh_installation)} >= jtis
    assert list(fresh_installation.journal_dir.glob("*.jsonl")) == []


# What cannot be read --------------------------------------------------------------------------


def rejected(installation):
    path = installation.journal_dir / REJECTED
    return path.read_bytes().splitlines() if path.exists() else []


def test_a_last_line_that_was_cut_off_is_set_aside(any_installation, journal):
    cut = a_line(3)[:-20]
    segment(any_installation, a_line(1), a_line(2), cut)
    assert ship(journal, any_installation.desk.store) == 2
    assert {row.target_id for row in events(any_installation)} == {"jti-1", "jti-2"}
    assert rejected(any_installation) == [cut]
    assert list(any_installation.journal_dir.glob("*.jsonl")) == []
    assert (any_installation.journal_dir / REJECTED).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "bad",
    [
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"\x00\xff\n",
        b'{"time": 1}\n',
        a_line(7, time="now"),
        a_line(7, time=1.5),
        a_line(7, time=10**30),
        a_line(7, time=-(10**25)),
        a_line(7, more="than there is"),
        a_line(7, id=None),
        a_line(7, type=None),
        a_line(7, type=["token.issued"]),
        a_line(7, actor_id={"a": 1}),
        a_line(7, details="text"),
        a_line(7, details=None),
        a_line(7, ip="x" * 100),
        a_line(7, actor_id="x" * 1000),
        a_line(7, target_id="a\0b"),
        a_line(7, id="x" * 500),
    ],
    ids=range(21),
)
def test_a_line_that_is_no_event_stops_nobody_else(any_installation, journal, bad):
    """One bad line must not keep all later events from the database until the journal is full
    and nothing is issued any more."""
    segment(any_installation, a_line(1), bad, a_line(2))
    segment(any_installation, a_line(3), name="0-1-1")
    ship(journal, any_installation.desk.store)
    found = {row.target_id for row in events(any_installation)}
    assert {"jti-1", "jti-2", "jti-3"} <= found
    assert list(any_installation.journal_dir.glob("*.jsonl")) == []
    # SQLite takes a text of any length, so there the line may be an event after all.
    assert len(rejected(any_installation)) + len(found) == 4


def test_an_empty_segment_is_cleared_away(any_installation, journal):
    segment(any_installation)
    assert ship(journal, any_installation.desk.store) == 0
    assert list(any_installation.journal_dir.glob("*.jsonl")) == []


# What cannot be written -----------------------------------------------------------------------


def assert_unavailable(response):
    assert response.status_code == 503
    assert response.json()["error"] == "temporarily_unavailable"
    assert int(response.headers["Retry-After"]) > 0
    assert "access_token" not in response.text
    assert "journal" not in response.text


def test_no_token_without_a_journal(tmp_path):
    (tmp_path / "a-file").write_text("in the way")
    environ = {"KEYTURN_JOURNAL_DIR": str(tmp_path / "a-file" / "journal")}
    with installed(tmp_path / "blocked", **environ) as installation:
        client = installation.client()
        assert_unavailable(ask(installation, client))
        # A refusal could not be remembered either: so it is not handed out for free.
        assert ask(installation, client._replace(client_secret="x")).status_code in (401, 503)
        (tmp_path / "a-file").unlink()
        assert ask(installation, client).status_code == 200


def test_no_token_into_a_full_journal(tmp_path):
    with installed(tmp_path / "full", KEYTURN_JOURNAL_LIMIT=str(LIMIT)) as installation:
        client = installation.client()
        journal = installation.services.journal
        assert ask(installation, client).status_code == 200
        big = installation.journal_dir / "0-1-0.jsonl"
        big.write_bytes(b"x" * (LIMIT + 1))
        journal.depth()  # as once a second
        assert_unavailable(ask(installation, client))
        big.unlink()
        journal.depth()
        assert ask(installation, client).status_code == 200


@contextmanager
def files_end_at(size):
    """A disk that is full, as the kernel tells it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1, 30])
def test_half_a_line_is_taken_back(tmp_path, room):
    journal = Journal(str(tmp_path), LIMIT)
    first, second = b"a" * 60 + b"\n", b"b" * 60 + b"\n"
    journal.append(first)
    (path,) = tmp_path.glob("*.jsonl")
    with files_end_at(len(first) + room):
        for _ in range(3):
            with pytest.raises(Unavailable):
                journal.append(second)
    assert path.read_bytes() == first
    journal.append(second)
    assert path.read_bytes() == first + second
    journal.close()


def test_pid_and_time_name_a_segment_once(tmp_path):
    """Two processes never share a segment, and one never opens the same again."""
    journals = [Journal(str(tmp_path), LIMIT) for _ in range(2)]
    for _ in range(3):
        for journal in journals:
            journal.append(b"{}\n")
            journal.seal()
    names = [path.name for path in tmp_path.glob("*.jsonl")]
    assert len(names) == 6
    assert all(f"-{os.getpid()}-" in name for name in names)
