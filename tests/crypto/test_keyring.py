"""The keyring's life on schedule, and when many rotate at the same moment."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from app.errors import Conflict
from app.storage.store import Store
from app.tokens.keyring import MARGIN, Keyring
from app.tokens.upkeep import Upkeep


class Clock:
    def __init__(self):
        self.now = datetime.now(UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keyring(any_installation, clock):
    """The installation's keys under a clock that can be turned."""
    found = any_installation.services
    store = Store(found.store.engine, clock)
    return Keyring(store, found.keyring._master_key, found.settings, found.desk.random_bytes)


@pytest.fixture
def upkeep(any_installation, keyring):
    return Upkeep(keyring._store, any_installation.services.directory, keyring)


def stages(installation):
    rows = installation.rows("SELECT kid, stage FROM signing_keys ORDER BY created_at")
    return Counter(row.stage for row in rows)


def test_nothing_is_due_at_first(any_installation, keyring, upkeep):
    assert not keyring.is_due()
    upkeep.once()
    assert stages(any_installation) == {"current": 1, "next": 1}


def test_a_chore_that_fails_keeps_no_other_from_being_done(any_installation, keyring, caplog):
    done = []

    def fails():
        raise ZeroDivisionError

    Upkeep(
        keyring._store,
        any_installation.services.directory,
        keyring,
        also=[fails, lambda: done.append("each round")],
        hourly=[fails, lambda: done.append("each hour")],
    ).once()
    assert done == ["each round", "each hour"]
    assert caplog.text.count("a chore failed") == 2


def test_the_schedule_replaces_and_retires(any_installation, keyring, upkeep, clock):
    settings = any_installation.services.settings
    first = keyring.published().signer.kid
    clock.now += settings.signing_key_ttl - timedelta(seconds=5)
    upkeep.once()
    assert stages(any_installation) == {"current": 1, "next": 1}

    clock.now += timedelta(seconds=10)
    assert keyring.is_due()
    upkeep.once()
    assert not keyring.is_due()
    assert stages(any_installation) == {"current": 1, "next": 1, "previous": 1}
    keyring.drop()
    second = keyring.published().signer.kid
    assert second != first
    assert keyring.get(first) is not None

    # Its last token may be alive for as long as a token may live, and workers may be late.
    clock.now += settings.max_token_ttl + MARGIN - timedelta(seconds=10)
    upkeep.once()
    assert stages(any_installation)["previous"] == 1
    clock.now += timedelta(seconds=20)
    upkeep.once()
    assert stages(any_installation) == {"current": 1, "next": 1, "retired": 1}
    keyring.drop()
    assert keyring.get(first) is None
    assert keyring.published().signer.kid == second


def test_a_worker_that_slept_for_years_makes_one_rotation(any_installation, upkeep, clock):
    clock.now += timedelta(days=3650)
    upkeep.once()
    upkeep.once()
    assert stages(any_installation) == {"current": 1, "next": 1, "previous": 1}


def test_a_key_signs_when_it_has_been_published_for_long_enough(any_installation, keyring, clock):
    """The first next one has been from the start; each later one waits, or is forced."""

    def rotate(**also):
        with keyring._store.transaction(any_installation.operator) as work:
            return keyring.rotate(work, **also)

    rotate()
    for wait, refused in ((0, True), (299, True), (1, False), (299, True)):
        clock.now += timedelta(seconds=wait)
        if refused:
            with pytest.raises(Conflict, match=r"rotate in \d+ s, or force it"):
                rotate()
        else:
            rotate()
    rotate(force=True)
    assert stages(any_installation) == {"current": 1, "next": 1, "previous": 3}


def at_once(number, work):
    """What each of so many threads answers, begun together."""
    together, answers = threading.Barrier(number), []

    def run():
        together.wait()
        try:
            answers.append(work())
        except Exception as error:  # noqa: BLE001 - it is the answer
            answers.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return answers


def test_eight_rotate_at_once(any_installation):
    answers = at_once(8, any_installation.rotate_signing_key)
    rotated = [one for one in answers if isinstance(one, str)]
    assert {type(one) for one in answers} <= {str, Conflict}
    assert len(rotated) >= 1
    assert len(set(rotated)) == len(rotated)
    assert stages(any_installation) == {"current": 1, "next": 1, "previous": len(rotated)}
    ((current,),) = any_installation.rows("SELECT kid FROM signing_keys WHERE stage = 'current'")
    any_installation.services.keyring.drop()
    assert any_installation.services.keyring.signer.kid == current


def test_eight_workers_find_the_rotation_due_at_once(any_installation, upkeep, clock):
    clock.now += any_installation.services.settings.signing_key_ttl
    assert at_once(8, upkeep.once) == [None] * 8
    assert stages(any_installation) == {"current": 1, "next": 1, "previous": 1}


def test_it_begins_once(any_installation):
    with any_installation.desk.store.transaction(any_installation.operator) as work:
        any_installation.services.keyring.begin(work)
    assert stages(any_installation) == {"current": 1, "next": 1}


def test_rotations_are_written_down(any_installation):
    before = any_installation.services.keyring.signer.kid
    after = any_installation.rotate_signing_key()
    any_installation.retire_signing_key(before)
    events = any_installation.rows(
        "SELECT type, target_id FROM audit_events "
        "WHERE type IN ('signing_key.rotated', 'signing_key.retired') ORDER BY id"
    )
    assert [tuple(event) for event in events] == [
        ("signing_key.rotated", after),
        ("signing_key.retired", before),
    ]
