"""Retention: what is old goes, up to a signed checkpoint, and what is left is still proof."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jwt
import pytest

from app import create_app
from app.settings import Settings
from app.storage import retention as stored
from app.wiring import services
from tests.audit.conftest import Audited, checkpoints_of, events_of
from tests.support.installation import installed

DAYS = 30


@pytest.fixture
def kept(tmp_path, database_url, start_of_day):
    """An installation that keeps events for 30 days."""
    with installed(tmp_path / "kept", database_url, KEYTURN_AUDIT_RETENTION=str(DAYS)) as made:
        audited = Audited(made)
        audited.at(start_of_day)
        yield audited


def live(audited, days=1, acts=3):
    """Days in which a few things happen."""
    for _ in range(days):
        for _ in range(acts):
            audited.installation.client()
        audited.upkeep.once()
        audited.later(days=1)


def test_without_the_setting_everything_is_kept(any_installation, start_of_day):
    audited = Audited(any_installation)
    audited.at(start_of_day)
    live(audited, days=3)
    audited.later(days=5000)
    audited.upkeep.once()
    assert audited.chain()[0].sequence == 1
    audited.assert_whole()


def test_what_is_older_goes_and_the_rest_still_verifies(kept):
    live(kept, days=DAYS + 5)
    before = kept.chain()
    kept.upkeep.once()
    rows = kept.chain()
    assert rows[0].sequence > 1
    boundary = rows[0].sequence - 1
    # All that is younger is there, and all that is gone was older.
    oldest_kept = kept.store.clock() - timedelta(days=DAYS + 2)
    assert all(
        row.time < kept.store.clock() - timedelta(days=DAYS)
        for row in before
        if row.sequence <= boundary
    )
    assert min(row.time for row in rows) >= oldest_kept
    report = kept.assert_whole()
    (chain,) = [one for one in report.chains if one.stream == kept.installation.organization_id]
    assert (chain.kept_after, chain.first) == (boundary, boundary + 1)
    lines = kept.export(organization_id=chain.stream)
    first = jwt.decode(checkpoints_of(lines)[0], options={"verify_signature": False})
    assert first["count"] == boundary
    assert json.loads(lines[1]).keys() == {"checkpoint"}, "where it begins is signed"


def test_it_leaves_an_event_in_the_chain(kept):
    live(kept, days=DAYS + 5)
    kept.upkeep.once()
    stream = kept.installation.organization_id
    events = [one for one in events_of(kept.export()) if one["type"] == "audit.removed"]
    assert all(one["actor_id"] == "schedule" for one in events)
    mine = [one for one in events if one["stream"] == stream]
    last = 0
    for event in mine:
        assert event["details"]["first"] == last + 1
        last = event["details"]["last"]
    assert kept.chain()[0].sequence == last + 1
    assert {one["stream"] for one in events} == {stream, "installation"}
    assert {one["organization_id"] for one in events} == {stream, None}


def test_token_events_go_as_well_and_the_acts_say_so(kept):
    kept.tokens(3)
    live(kept, days=DAYS + 2, acts=1)
    kept.upkeep.once()
    assert kept.chain(kept.shipped) == []
    (removed,) = [row for row in kept.chain() if row.target_id == kept.shipped]
    assert (removed.details["first"], removed.details["last"]) == (1, 3)
    kept.tokens(1)
    assert [row.sequence for row in kept.chain(kept.shipped)] == [4]
    kept.assert_whole()


def test_once_a_day(kept):
    live(kept, days=DAYS + 3)
    kept.upkeep.once()
    removed = len([one for one in events_of(kept.export()) if one["type"] == "audit.removed"])
    for _ in range(5):
        kept.later(hours=4)
        kept.installation.client()
        kept.upkeep.once()
    again = len([one for one in events_of(kept.export()) if one["type"] == "audit.removed"])
    assert again == removed


def test_a_removed_beginning_cannot_be_feigned(kept):
    """Cutting the beginning off an export is not retention: only the manifest says what was."""
    live(kept, days=3)
    lines = kept.export(organization_id=kept.installation.organization_id)
    places = [n for n, line in enumerate(lines) if b'"checkpoint"' in line[:14]]
    report = kept.verify([lines[0], *lines[places[0] :]])
    assert any("is not where expected" in one or "are not" in one for one in report.findings)


def test_in_small_steps_and_by_several_at_once(kept, monkeypatch):
    monkeypatch.setattr(stored, "AT_ONCE", 7)
    live(kept, days=DAYS + 8, acts=4)
    now = kept.store.clock() + timedelta(days=1)
    workers = [services(create_app(Settings.from_env(kept.installation.environ))) for _ in range(3)]

    def keep_up(worker):
        worker.store.clock = lambda: now
        worker.upkeep.once()

    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(keep_up, workers))
    for worker in workers:
        worker.store.engine.dispose()
    kept.at(now)
    assert kept.chain()[0].sequence > 1
    kept.assert_whole()


def test_a_death_halfway_is_made_good(kept):
    """The boundary has been moved, the rows are still there: they are not part of it any more."""
    live(kept, days=DAYS + 5)
    stream = kept.installation.organization_id
    gone = stored.boundaries(kept.store, kept.store.clock() - timedelta(days=DAYS - 1))
    for boundary in gone:
        stored.move(kept.store, kept.installation.operator, boundary)
    assert kept.chain()[0].sequence < gone[0].sequence
    (chain,) = [one for one in kept.assert_whole().chains if one.stream == stream]
    assert chain.first > 1
    kept.later(days=1)
    kept.upkeep.once()
    assert kept.chain()[0].sequence >= chain.first
    kept.assert_whole()


def test_an_earlier_export_still_fits(kept):
    live(kept, days=DAYS + 5)
    earlier = [line.decode() for line in kept.export()]
    kept.later(days=4)
    kept.installation.client()
    kept.upkeep.once()
    report = kept.verify(earlier=earlier)
    assert report.findings == ()


def test_moving_the_same_boundary_twice_is_one_removal(kept):
    live(kept, days=3)
    (boundary, *_) = stored.boundaries(kept.store, kept.store.clock())
    for _ in range(2):
        stored.move(kept.store, kept.installation.operator, boundary)
    events = [one for one in events_of(kept.export()) if one["type"] == "audit.removed"]
    assert len(events) == 1
