"""The feed of changes: what one process changes, every other one sees, all of it and soon."""

import threading
import time
from contextlib import ExitStack
from datetime import timedelta

import jwt
import pytest
from sqlalchemy import event

from app.admin import clients
from app.errors import Unavailable
from app.storage import feed
from app.storage.revocations import revoke_token
from tests.support import forked
from tests.support.installation import installed, process_environ
from tests.support.served import eventually, serving

WITHIN = 1.0
"""Seconds: the contract's promise (CONTRACT §1, issue: point 5)."""


def seen(condition):
    """How long it took until this was so."""
    started = time.monotonic()
    eventually(condition, timeout=10, every=0.005)
    return time.monotonic() - started


# A change made elsewhere --------------------------------------------------------------------------


def test_a_served_process_sees_every_kind_of_change_within_a_second(any_installation, another_node):
    """The changes are made by this process, the tokens asked of another."""
    installation = any_installation
    organization = installation.organization(scopes=["a:one"])
    client = installation.client(["a:*"], organization=organization)
    other = installation.client()
    key = installation.api_key()
    api = installation.client(["keyturn:introspect"])
    with serving(installation) as server:

        def status():
            return server.ask(client).status_code

        def introspected(presented):
            return server.post("/oauth/introspect", data={"token": presented}, auth=api).json()

        server.token(client)
        token = server.token(other)
        assert introspected(key.key)["active"]
        took = {}
        installation.disable(client.client_id, organization=organization)
        took["client disabled"] = seen(lambda: status() == 401)
        installation.enable(client.client_id, organization=organization)
        took["client enabled"] = seen(lambda: status() == 200)
        installation.suspend(organization)
        took["organization suspended"] = seen(lambda: status() == 401)
        installation.resume(organization)
        took["organization resumed"] = seen(lambda: status() == 200)
        installation.scope("a:two", organization=organization)
        took["scope declared"] = seen(lambda: server.ask(client).json()["scope"] == "a:one a:two")
        installation.resource("https://a.example.com", scopes=["a:*"], organization=organization)
        took["resource added"] = seen(
            lambda: (
                jwt.decode(server.token(client), options={"verify_signature": False})["aud"]
                == "https://a.example.com"
            )
        )
        installation.revoke_key(key.id)
        took["key revoked"] = seen(lambda: introspected(key.key) == {"active": False})
        node = another_node(installation, KEYTURN_ISSUER=server.url)
        with node.store.transaction(installation.operator) as work:
            revoke_token(work, node.credentials.token(token).claims)
        took["token revoked"] = seen(lambda: introspected(token) == {"active": False})
        kid = installation.rotate_signing_key()
        took["key rotated"] = seen(
            lambda: jwt.get_unverified_header(server.token(other))["kid"] == kid
        )
    assert max(took.values()) < WITHIN, took


def test_two_workers_and_two_nodes_see_the_command_lines_change(fresh_installation):
    client = fresh_installation.client()
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(serving(fresh_installation, workers=workers)) for workers in (2, 1)
        ]
        for node in nodes:
            for _ in range(20):  # both workers of the first
                assert node.ask(client).status_code == 200
        said = ["client", "disable", client.client_id]
        forked.run(said, process_environ(fresh_installation.environ)).check_returncode()
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            answers = {node.ask(client).status_code for node in nodes for _ in range(8)}
            if answers == {401}:
                break
        # And it stays so: no worker has been forgotten.
        assert {node.ask(client).status_code for node in nodes for _ in range(40)} == {401}


def test_the_process_that_made_a_change_sees_it_at_once(any_installation):
    http = any_installation.http
    client = any_installation.client()

    def status():
        data = {"grant_type": "client_credentials"}
        return http.post("/oauth/token", data=data, auth=client).status_code

    for _ in range(5):
        assert status() == 200
        any_installation.disable(client.client_id)
        assert status() == 401
        any_installation.enable(client.client_id)


# Order, and nothing left out ----------------------------------------------------------------------


def follow(node):
    """What a node has been told of, from now on."""
    told = []
    node.feed.poll()
    node.feed.deliver_to(
        {"client": lambda subject: told.append(subject)}, reset=(lambda: told.append("everything"),)
    )
    return told


def test_a_transaction_that_commits_late_is_not_skipped(any_installation, another_node):
    """The classic mistake: 7 is given out, then 8; 8 commits first; who has read 8 never asks for
    7 again. Here the second waits for the first, and whoever reads in between reads neither."""
    first, second = any_installation.client(), any_installation.client()
    follower = another_node(any_installation)
    told = follow(follower)
    engine = any_installation.services.store.engine
    late, go_on = threading.Event(), threading.Event()
    slow = threading.Thread(target=any_installation.disable, args=(first.client_id,))
    quick = threading.Thread(target=any_installation.disable, args=(second.client_id,))

    def wait_before_commit(_connection):
        if threading.current_thread() is slow:
            late.set()
            assert go_on.wait(20)

    event.listen(engine, "commit", wait_before_commit)
    try:
        slow.start()
        assert late.wait(20)  # its sequence is given out, nothing is committed
        quick.start()
        quick.join(timeout=0.3)
        assert quick.is_alive(), "the second got a sequence before the first had committed"
        follower.feed.poll()
        assert told == []
        go_on.set()
        slow.join(timeout=20)
        quick.join(timeout=20)
    finally:
        go_on.set()
        event.remove(engine, "commit", wait_before_commit)
    follower.feed.poll()
    assert told == [first.client_id, second.client_id]


def test_a_transaction_that_is_rolled_back_leaves_no_gap(any_installation, another_node):
    client = any_installation.client()
    follower = another_node(any_installation)
    told = follow(follower)

    class Failed(Exception):
        pass

    def fail(_connection):
        raise Failed

    engine = any_installation.services.store.engine
    event.listen(engine, "commit", fail)
    try:
        with pytest.raises(Failed):
            any_installation.disable(client.client_id)
    finally:
        event.remove(engine, "commit", fail)
    any_installation.disable(client.client_id)
    follower.feed.poll()
    assert told == [client.client_id]
    sequences = [row[0] for row in any_installation.rows("SELECT sequence FROM changes")]
    assert sorted(sequences) == list(range(1, len(sequences) + 1))


def test_many_writers_and_a_reader_in_a_hurry(any_installation, another_node):
    many = [any_installation.client().client_id for _ in range(4)]
    follower = another_node(any_installation)
    told = follow(follower)
    done = threading.Event()
    failed = []

    def write(client_id):
        try:
            for _ in range(5):
                clients.disable(any_installation.desk, any_installation.operator, client_id)
                clients.enable(any_installation.desk, any_installation.operator, client_id)
        except Exception as error:  # noqa: BLE001 - shown below
            failed.append(error)

    def read():
        while not done.is_set():
            follower.feed.poll()

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(one,)) for one in many]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join(timeout=60)
    done.set()
    reader.join(timeout=20)
    assert failed == []
    follower.feed.poll()
    assert sorted(told) == sorted(many * 10)


# A trail that is lost ----------------------------------------------------------------------------


def prune(installation):
    """As upkeep would a day later."""
    store = installation.desk.store
    store.forget_changes(store.clock() + timedelta(days=1))


@pytest.mark.parametrize("later_changes", [0, 1, 2])
def test_who_was_away_for_too_long_starts_over(any_installation, another_node, later_changes):
    """What changed meanwhile is not known any more, so nothing that is held can be believed;
    also when nothing has changed since."""
    client = any_installation.client()
    follower = another_node(any_installation)
    follower.feed.poll()
    assert follower.directory.client(client.client_id).status == "active"
    for _ in range(2):
        any_installation.disable(client.client_id)
        any_installation.enable(client.client_id)
    any_installation.disable(client.client_id)
    prune(any_installation)
    for _ in range(later_changes):
        any_installation.client()
    follower.feed.poll()
    assert follower.directory.client(client.client_id).status == "disabled"


def test_what_everybody_has_seen_does_not_grow_for_ever(any_installation):
    client = any_installation.client()
    for _ in range(5):
        any_installation.disable(client.client_id)
        any_installation.enable(client.client_id)
    prune(any_installation)
    ((left,),) = any_installation.rows("SELECT count(*) FROM changes")
    assert left <= 1


def test_a_backlog_of_many_changes_is_caught_up_with(fresh_installation, another_node, monkeypatch):
    monkeypatch.setattr(feed, "BATCH", 3)
    client = fresh_installation.client()
    follower = another_node(fresh_installation)
    told = follow(follower)
    for _ in range(5):
        fresh_installation.disable(client.client_id)
        fresh_installation.enable(client.client_id)
    follower.feed.poll()
    assert told == [client.client_id] * 10


# A database that is away --------------------------------------------------------------------------


def test_known_clients_are_served_for_a_while_without_a_database(tmp_path, postgres_server):
    """Then no longer: a client that was disabled meanwhile must not be served for ever."""
    with (
        installed(
            tmp_path / "away", postgres_server.create(), KEYTURN_MAX_STALE="2"
        ) as installation,
        serving(installation) as server,
    ):
        client, unknown = installation.client(), installation.client()
        server.token(client)
        postgres_server.halt()
        assert server.ask(client).status_code == 200
        response = server.ask(unknown)
        assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
        assert int(response.headers["Retry-After"]) > 0
        assert server.get("/health").status_code == 200
        ready = server.get("/health/ready").json()
        assert ready == {"status": "ready", "degraded": "database_unavailable"}
        eventually(lambda: server.ask(client).status_code == 503)
        assert server.get("/health/ready").status_code == 503
        started = time.monotonic()
        assert server.ask(client).status_code == 503
        assert time.monotonic() - started < 10
        postgres_server.resume()
        eventually(lambda: server.ask(client).status_code == 200, timeout=20)
        assert server.ask(unknown).status_code == 200
        # What was issued while it was away has been kept.
        eventually(
            lambda: installation.rows(
                "SELECT 1 FROM audit_events WHERE type = 'token.issued' AND actor_id = :id",
                id=client.client_id,
            ),
            timeout=20,
        )


def test_a_process_that_has_never_read_anything_says_so(fresh_installation, another_node):
    node = another_node(
        fresh_installation, KEYTURN_DATABASE_URL=f"sqlite:///{fresh_installation.directory}"
    )
    with pytest.raises(Unavailable):
        node.directory.client("client_x")


def test_a_bug_of_ours_does_not_end_the_thread(fresh_installation, another_node, caplog):
    """What could not be delivered is delivered by a later turn."""
    follower = another_node(fresh_installation)
    told, bugs = [], ["the second bug", "the first bug"]

    def drop(subject):
        if bugs:
            raise ValueError(bugs.pop())
        told.append(subject)

    follower.feed.poll()
    follower.feed.deliver_to({"client": drop}, reset=())
    follower.feed.start()
    client = fresh_installation.client()
    fresh_installation.disable(client.client_id)
    eventually(lambda: client.client_id in told)
    follower.feed.stop()
    assert follower.feed.failures == 2
    assert "ValueError: the second bug" in caplog.text
