"""What a list of 100,000 credentials weighs, in bytes as they are sent."""

import random

import pytest
from sqlalchemy import insert, update

from app.storage import statuses
from app.storage.models import StatusEntryRow
from tests.support.status_lists import read_list, statuses_in

CREDENTIALS = 100_000
KB = 1000
VALID, INVALID, SUSPENDED = 0, 1, 2


@pytest.fixture(scope="module")
def places(installation):
    """A hundred thousand credentials, at random places as ever."""
    installation.client()
    taken = {row.position for row in installation.rows("SELECT position FROM status_entries")}
    free = sorted(set(range(statuses.SIZE)) - taken)
    drawn = random.Random(5).sample(free, CREDENTIALS - len(taken))
    with installation.desk.store.transaction(installation.operator) as work:
        work.session.execute(
            insert(StatusEntryRow),
            [
                {
                    "list_number": 1,
                    "position": position,
                    "kind": statuses.CLIENT_SECRET,
                    "subject_id": f"sec_{position}",
                    "owner_id": f"client_{position}",
                    "organization_id": installation.organization_id,
                    "status": VALID,
                }
                for position in drawn
            ],
        )
    return drawn


def stop(installation, places, status):
    """Let the list say so of these."""
    with installation.desk.store.transaction(installation.operator) as work:
        for at in range(0, len(places), 500):
            work.session.execute(
                update(StatusEntryRow)
                .where(StatusEntryRow.list_number == 1)
                .where(StatusEntryRow.position.in_(places[at : at + 500]))
                .values(status=status)
                .execution_options(synchronize_session=False)
            )
        work.changes += statuses.raise_versions(work.session, [1])


@pytest.mark.parametrize(
    ("invalid", "suspended", "plain", "gzipped"),
    [
        (0.00, 0.00, 1 * KB, 1 * KB),
        (0.01, 0.00, 4 * KB, 3 * KB),
        (0.10, 0.00, 14 * KB, 10 * KB),
        (0.50, 0.00, 30 * KB, 22 * KB),
        (0.50, 0.25, 46 * KB, 33 * KB),
    ],
)
def test_bytes_on_the_wire(installation, places, invalid, suspended, plain, gzipped):
    ends = round(CREDENTIALS * invalid), round(CREDENTIALS * (invalid + suspended))
    stop(installation, places, VALID)
    stop(installation, places[: ends[0]], INVALID)
    stop(installation, places[ends[0] : ends[1]], SUSPENDED)
    uri = f"{installation.services.settings.issuer}{statuses.STATUS_LISTS}/1"
    as_it_is = installation.http.get(uri, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in as_it_is.headers
    assert len(as_it_is.content) <= plain
    with installation.http.stream("GET", uri, headers={"Accept-Encoding": "gzip"}) as smaller:
        sent = b"".join(smaller.iter_raw())
        assert smaller.headers["Content-Encoding"] == "gzip"
        assert smaller.headers["Vary"] == "Accept-Encoding"
    assert len(sent) <= gzipped
    found = statuses_in(read_list(installation.http, uri))
    said = [found[place] for place in places]
    assert said[: ends[0]] == [INVALID] * ends[0]
    assert said[ends[0] : ends[1]] == [SUSPENDED] * (ends[1] - ends[0])
    assert not any(said[ends[1] :])


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "identity, *;q=0"])
def test_whoever_does_not_take_gzip_gets_none(installation, places, accepted):
    answer = installation.http.get(
        f"{statuses.STATUS_LISTS}/1", headers={"Accept-Encoding": accepted}
    )
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers
