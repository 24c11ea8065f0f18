"""Appending: gapless, in one order for everybody, each event once."""

import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from app.errors import Conflict
from app.storage import chain
from app.storage.canonical import GENESIS, document, hash_of, instant, stream_of
from app.storage.chain import MANY
from app.storage.journal import Journal
from app.storage.shipping import LANE, ship
from tests.audit.conftest import INSTALLATION, Audited
from tests.support.installation import ROOT, process_environ
from tests.support.served import eventually

BOTH = 2
SHIPPED = stream_of("org_x", LANE)


def an_event(number, organization_id="org_x", **also):
    return {
        "id": f"evt_{number:030x}",
        "time": instant(datetime.fromtimestamp(1_800_000_000 + number / 7, UTC)),
        "type": "token.issued",
        "actor_type": "client",
        "actor_id": "client_x",
        "organization_id": organization_id,
        "target_type": "token",
        "target_id": f"jti-{number}",
        "outcome": "success",
        "reason": None,
        "ip": "192.0.2.1",
        "user_agent": 'Zoë\'s \\ "client"\t\u2028😀',
        "request_id": None,
        "details": {"scope": "a b", "exp": 2**53 - 1, "of": [True, None, -1], "name": "é😀"},
        **also,
    }


def a_line(number, organization_id="org_x"):
    event = an_event(number, organization_id) | {"time": time.time_ns()}
    return json.dumps(event).encode() + b"\n"


def assert_chained(rows):
    """From 1, without gaps, each naming the hash before it; what is stored is what was hashed."""
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    previous = GENESIS
    for row in rows:
        assert row.previous_hash == previous
        assert row.hash == hash_of(document(dict(row._mapping)))
        previous = row.hash


def test_administrative_acts_are_chained_by_organization(audited):
    house = audited.installation
    other = house.organization(scopes=["a:b"])
    house.client(["a:b"], organization=other)
    for stream in (house.organization_id, other, INSTALLATION):
        assert_chained(audited.chain(stream))
    assert [row.type for row in audited.chain(other)] == [
        "organization.created",
        "scope.added",
        "client.created",
    ]
    assert {row.organization_id for row in audited.chain(INSTALLATION)} == {None}
    audited.assert_whole()


@pytest.mark.parametrize("count", [1, MANY - 1, MANY, 2500])
def test_few_and_many_rows_are_written_alike(audited, count):
    """On PostgreSQL many by COPY; what comes back must be what was hashed."""
    events = [an_event(number, ("org_x", "org_y", None)[number % 3]) for number in range(count)]
    with audited.store.begin() as connection:
        chain.append(connection, events)
    rows = [row for name in ("org_x", "org_y", INSTALLATION) for row in audited.chain(name)]
    for name in ("org_x", "org_y", INSTALLATION):
        assert_chained(audited.chain(name))
    written = {row.id: document(row._mapping) for row in rows}
    for event in events:
        assert {name: written[event["id"]][name] for name in event} == event
    audited.assert_whole()


def test_what_cannot_be_written_leaves_nothing(audited):
    """An error of COPY, which SQLAlchemy does not see, is an error like any other."""
    before = len(audited.chain(INSTALLATION))
    events = [an_event(number, None) for number in range(MANY * 2)]
    with pytest.raises(Exception, match=r"duplicate|UNIQUE|exists"):  # noqa: SIM117
        with audited.store.begin() as connection:
            chain.append(connection, [*events, events[0]])
    assert len(audited.chain(INSTALLATION)) == before
    audited.assert_whole()


@pytest.mark.parametrize(
    "spoilt",
    [
        {"details": {"ratio": 0.5}},
        {"details": [1]},
        {"type": 5},
        {"type": None},
        {"sequence": 7},
        {"hash": "00"},
    ],
    ids=str,
)
def test_a_journal_line_that_fits_into_no_chain_is_set_aside(audited, spoilt):
    journal = Journal(str(audited.installation.journal_dir), 1 << 20)
    event = an_event(1) | {"time": time.time_ns()} | spoilt
    journal.append(json.dumps(event).encode() + b"\n")
    journal.append(a_line(2))
    journal.close()
    assert ship(journal, audited.store) == 1
    assert [row.target_id for row in audited.chain(SHIPPED)] == ["jti-2"]
    audited.assert_whole()


# At once ------------------------------------------------------------------------------------------


def test_threads_that_append_to_one_chain_leave_no_gap(audited):
    """Administrators and shippers, two streams, taken in both orders."""
    begin = threading.Barrier(6)

    def administrate(number):
        begin.wait()
        for turn in range(5):
            audited.installation.scope(f"area{number}x{turn}:read")

    def append(number):
        begin.wait()
        for turn in range(5):
            first = (number * 5 + turn) * 60
            organizations = ("org_x", None) if number % 2 else (None, "org_x")
            events = [an_event(first + n, organizations[n % 2]) for n in range(60)]
            with audited.store.begin() as connection:
                chain.append_once(connection, events, LANE)

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(administrate, n) for n in range(2)]
        done += [pool.submit(append, n) for n in range(4)]
        for one in done:
            one.result()
    assert_chained(audited.chain())
    assert_chained(audited.chain(SHIPPED))
    assert len(audited.chain(SHIPPED)) == 4 * 5 * 30
    audited.assert_whole()


SHIP = """
import os, sys
from app import create_app
from app.settings import Settings
from app.storage.journal import Journal
from app.storage.shipping import ship
from app.wiring import services
found = services(create_app(Settings.from_env(os.environ)))
print("ready", flush=True)
sys.stdin.readline()
for segment in sys.argv[1:]:
    ship(Journal(segment, 1 << 30), found.store)
"""


def test_processes_that_ship_to_one_chain_leave_no_gap(audited, tmp_path):
    expected = 0
    directories = []
    for number in range(BOTH):
        mine = []
        for turn in range(4):
            directory = tmp_path / f"journal-{number}-{turn}"
            journal = Journal(str(directory), 1 << 30)
            for n in range(400):
                # Half of what each ships, the other ships as well.
                shared = n % 2
                journal.append(a_line(n + turn * 400 if shared else expected + 1_000_000))
                expected += not shared
            journal.close()
            mine.append(str(directory))
        directories.append(mine)
    environ = process_environ(audited.installation.environ)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SHIP, *mine], cwd=ROOT, env=environ,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for mine in directories
    ]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    rows = audited.chain(SHIPPED)
    assert len(rows) == expected + 4 * 200
    assert_chained(rows)
    audited.assert_whole()


KILLED = SHIP.replace(
    "print(",
    "from app.storage.journal import Segment\n"
    "Segment.remove = lambda segment: os.kill(os.getpid(), 9)\n"
    "print(",
)


def test_death_between_the_commit_and_the_removal_leaves_one_copy(audited):
    directory = audited.installation.journal_dir
    journal = Journal(str(directory), 1 << 20)
    for number in range(50):
        journal.append(a_line(number))
    journal.close()
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(directory)],
        cwd=ROOT, env=process_environ(audited.installation.environ), input=b"go\n", timeout=60,
    )  # fmt: skip
    assert process.returncode == -signal.SIGKILL
    before = audited.chain(SHIPPED)
    assert len(before) == 50
    assert list(directory.glob("*.jsonl"))
    assert ship(Journal(str(directory), 1 << 20), audited.store) == 50
    assert not list(directory.glob("*.jsonl"))
    assert audited.chain(SHIPPED) == before
    audited.assert_whole()


@pytest.fixture
def on_postgres(tmp_path, postgres_url):
    from tests.support.installation import installed

    with installed(tmp_path / "postgres", postgres_url) as made:
        yield Audited(made)


def test_who_holds_one_lane_holds_up_neither_another_nor_administrators(on_postgres):
    """A slow node must not stop the others."""
    house = on_postgres.installation
    mine = house.organization_id
    with on_postgres.store.begin() as slow:
        chain.append_once(slow, [an_event(1, mine)], lane=1)
        with on_postgres.store.begin() as other:
            chain.append_once(other, [an_event(2, mine)], lane=2)
        house.client()
    for lane in (1, 2):
        assert_chained(on_postgres.chain(stream_of(mine, lane)))
        assert len(on_postgres.chain(stream_of(mine, lane))) == 1
    on_postgres.assert_whole()


def test_an_event_that_another_lane_is_just_writing_is_written_once(on_postgres):
    """A node came back under another name while its last transaction was still under way."""
    before = on_postgres.store.begin()
    chain.append_once(before.__enter__(), [an_event(1)], lane=1)
    with ThreadPoolExecutor(1) as pool:

        def again():
            with on_postgres.store.begin() as connection:
                chain.append_once(connection, [an_event(1), an_event(2)], lane=2)

        waiting = pool.submit(again)
        eventually(lambda: somebody_waits(on_postgres))
        before.__exit__(None, None, None)
        with pytest.raises(Conflict):
            waiting.result()
        again()
    assert [row.id for row in on_postgres.chain("org_x/1")] == [an_event(1)["id"]]
    assert [row.id for row in on_postgres.chain("org_x/2")] == [an_event(2)["id"]]
    on_postgres.assert_whole()


def somebody_waits(audited):
    """Whether a transaction waits for another one."""
    return audited.installation.rows(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock'"
    )


def test_an_administrator_and_a_shipper_do_not_lock_each_other_out(on_postgres):
    """Both touch a client's row and the end of a chain, but not of the same: none is told of a
    deadlock."""
    house = on_postgres.installation
    client = house.client()
    begin, failures = threading.Barrier(2), []
    organization = house.organization_id

    def administrate():
        begin.wait()
        for turn in range(40):
            house.force_client(client.client_id, name=f"name {turn}")
            (house.disable, house.enable)[turn % 2](client.client_id)

    def use():
        begin.wait()
        for turn in range(40):
            journal = Journal(str(house.journal_dir), 1 << 30)
            for n in range(5):
                event = an_event(turn * 5 + n, organization, actor_id=client.client_id)
                journal.append(json.dumps(event | {"time": time.time_ns()}).encode() + b"\n")
            journal.close()
            ship(journal, on_postgres.store)

    def kept(act):
        try:
            act()
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=kept, args=(act,)) for act in (administrate, use)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert_chained(on_postgres.chain())
    assert_chained(on_postgres.chain(on_postgres.shipped))
