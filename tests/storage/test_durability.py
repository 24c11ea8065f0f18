"""``KEYTURN_JOURNAL_DURABILITY=disk``: no answer before its event is on the disk."""

import errno
import os
import threading
import time

import pytest

from app.storage.journal import Journal
from tests.support.installation import installed

LIMIT = 1 << 20


def ask(installation, client):
    form = {"grant_type": "client_credentials"}
    return installation.http.post("/oauth/token", data=form, auth=client)


class Disk:
    """Counts what really reaches the disk, and can be made to fail."""

    def __init__(self, monkeypatch):
        self.synced, self.fails = [], False
        monkeypatch.setattr("app.storage.journal._fdatasync", self._sync)

    def _sync(self, descriptor):
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")
        size = os.fstat(descriptor).st_size
        time.sleep(0.002)  # as a disk takes; others write meanwhile
        os.fdatasync(descriptor)
        self.synced.append(size)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def test_a_line_is_on_the_disk_when_append_returns(tmp_path, disk):
    journal = Journal(str(tmp_path), LIMIT, is_synced=True)
    for number in range(1, 4):
        journal.append(b"a line\n")
        assert disk.synced[-1] == 7 * number
    journal.close()


def test_many_that_write_at_once_wait_for_one_sync(tmp_path, disk):
    journal = Journal(str(tmp_path), LIMIT, is_synced=True)
    returned = []
    together = threading.Barrier(64)

    def append(number):
        together.wait(timeout=30)
        line = b"%08d\n" % number
        journal.append(line)
        (path,) = tmp_path.glob("*.jsonl")
        returned.append(path.read_bytes().index(line) + len(line) <= disk.synced[-1])

    for _ in range(5):
        threads = [threading.Thread(target=append, args=(n,)) for n in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        journal.seal()
        (path,) = tmp_path.glob("*.jsonl")
        path.unlink()
    assert all(returned)
    assert len(disk.synced) < 5 * 64 / 2
    journal.close()


def test_a_segment_that_ends_takes_its_lines_to_the_disk(tmp_path, disk):
    """The shipper ends segments while requests wait for theirs."""
    journal = Journal(str(tmp_path), LIMIT, is_synced=True)
    done = threading.Event()

    def seal():
        while not done.is_set():
            journal.seal()

    sealing = threading.Thread(target=seal)
    sealing.start()
    writing = [
        threading.Thread(target=lambda: [journal.append(b"a line\n") for _ in range(20)])
        for _ in range(8)
    ]
    for thread in writing:
        thread.start()
    for thread in writing:
        thread.join(timeout=60)
    done.set()
    sealing.join(timeout=60)
    journal.close()
    assert sum(path.stat().st_size for path in tmp_path.glob("*.jsonl")) == 7 * 8 * 20


def test_no_token_that_did_not_reach_the_disk(tmp_path, disk):
    with installed(tmp_path / "synced", KEYTURN_JOURNAL_DURABILITY="disk") as installation:
        client = installation.client()
        assert ask(installation, client).status_code == 200
        disk.fails = True
        refused = ask(installation, client)
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert "access_token" not in refused.text
        disk.fails = False
        assert ask(installation, client).status_code == 200


def test_without_the_setting_nobody_waits_for_the_disk(tmp_path, disk):
    disk.fails = True
    with installed(tmp_path / "quick") as installation:
        assert ask(installation, installation.client()).status_code == 200
    assert disk.synced == []
