"""Places in the status lists: given once, freed in time, and always what the rows say."""

from datetime import timedelta

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import delete, update

from app.storage import statuses
from app.storage.models import ApiKeyRow, ClientRow, StatusEntryRow
from app.tokens.upkeep import keep_status_lists

PLACES = "SELECT subject_id, list_number, position, status FROM status_entries ORDER BY subject_id"


def allocate(house, subject_id, **also):
    with house.desk.store.transaction(house.operator) as work:
        statuses.allocate(
            work,
            statuses.CLIENT,
            subject_id,
            owner_id=subject_id,
            organization_id=house.organization_id,
            **also,
        )


def test_a_full_list_is_followed_by_another(any_installation):
    for n in range(10):
        allocate(any_installation, f"client_{n}", size=4)
    rows = any_installation.rows("SELECT list_number, position FROM status_entries")
    assert len(rows) == len({tuple(row) for row in rows}) == 10
    assert {row.position for row in rows} <= set(range(4))
    assert len(any_installation.rows("SELECT number FROM status_lists")) >= 3
    listed = any_installation.http.get(statuses.STATUS_LISTS).json()["status_lists"]
    assert len(listed) == len({row.list_number for row in rows})


def test_a_place_is_for_life(any_installation):
    allocate(any_installation, "client_1")
    before = any_installation.rows(PLACES)
    allocate(any_installation, "client_1")
    assert any_installation.rows(PLACES) == before


def test_places_say_nothing_of_their_order(fresh_installation):
    for n in range(40):
        allocate(fresh_installation, f"client_{n:02}")
    positions = [row.position for row in fresh_installation.rows(PLACES)]
    assert positions not in (sorted(positions), sorted(positions, reverse=True))
    assert max(positions) - min(positions) > statuses.SIZE // 2


def test_what_has_long_ended_is_freed(any_installation):
    house, store = any_installation, any_installation.desk.store
    house.client()
    secret = house.rows("SELECT id, client_id FROM client_secrets")[0]
    house.end_secret(secret.client_id, secret.id)
    versions = [statuses.contents(store, 1, store.clock())]
    keep_status_lists(store)
    assert versions[0].stopped == statuses.contents(store, 1, store.clock()).stopped != {}
    with store.begin() as connection:
        connection.execute(
            update(StatusEntryRow)
            .where(StatusEntryRow.status == 1)
            .values(ended_at=store.clock() - statuses.KEPT - timedelta(minutes=1))
        )
    keep_status_lists(store)
    now = statuses.contents(store, 1, store.clock())
    assert now.stopped == {}
    assert now.version > versions[0].version
    assert len(house.rows(PLACES)) == 1  # the client's own


def test_what_nodes_of_the_version_before_leave_undone(any_installation):
    """They make credentials without a place, and stop others without a word to the lists."""
    house, store = any_installation, any_installation.desk.store
    bare, stopped = house.client(), house.client()
    key, gone = house.api_key(), house.api_key()
    with store.begin() as connection:
        connection.execute(delete(StatusEntryRow).where(StatusEntryRow.owner_id.in_(
            [bare.client_id, key.id])))  # fmt: skip
        connection.execute(
            update(ClientRow)
            .where(ClientRow.client_id == stopped.client_id)
            .values(status="disabled")
        )
        connection.execute(
            update(ApiKeyRow).where(ApiKeyRow.id == gone.id).values(status="revoked")
        )
    keep_status_lists(store)
    found = {row.subject_id: row.status for row in house.rows(PLACES)}
    assert len(found) == 6
    assert (found[bare.client_id], found[key.id]) == (0, 0)
    assert (found[stopped.client_id], found[gone.id]) == (2, 1)
    before = house.rows(PLACES)
    keep_status_lists(store)
    assert house.rows(PLACES) == before


@pytest.mark.timeout(240)
def test_the_migration_gives_places_to_what_there_is(any_installation):
    house = any_installation
    client, stopped, key, gone = house.client(), house.client(), house.api_key(), house.api_key()
    house.disable(stopped.client_id)
    house.revoke_key(gone.id)
    with house.app.app_context():
        downgrade(revision="0009")
        upgrade()
    found = {row.subject_id: row.status for row in house.rows(PLACES)}
    assert len(found) == 5  # two clients, a secret of each, and one key
    assert (found[client.client_id], found[stopped.client_id], found[key.id]) == (0, 2, 0)
    answer = house.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=house.client()
    )
    assert answer.status_code == 200
