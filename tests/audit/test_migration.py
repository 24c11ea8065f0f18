"""Events that were there before the chains: they are chained, and nothing of them changes."""

import json
from datetime import UTC, datetime

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from tests.audit.conftest import INSTALLATION, Audited
from tests.audit.test_chain import an_event, assert_chained

COLUMNS = (
    "id, time, type, actor_type, actor_id, organization_id, target_type, target_id, outcome, "
    "reason, ip, user_agent, request_id, details"
)


def events(audited):
    return [
        tuple(json.loads(value) if isinstance(value, str) and value[:1] == "{" else value
              for value in row)
        for row in audited.installation.rows(f"SELECT {COLUMNS} FROM audit_events ORDER BY id")
    ]  # fmt: skip


@pytest.fixture
def of_before(audited):
    """An installation of the version before, in use, with more events than one batch."""
    audited.tokens(3)
    with audited.installation.app.app_context():
        downgrade(revision="0002")
    with audited.store.begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO audit_events ({COLUMNS}) VALUES ("
                ":id, :time, :type, :actor_type, :actor_id, :organization_id, :target_type, "
                ":target_id, :outcome, :reason, :ip, :user_agent, :request_id, :details)"
            ),
            [
                an_event(number, (audited.installation.organization_id, "org_x", None, "")[n % 4])
                | {
                    "details": json.dumps({"name": "Zoë \\ \"'", "exp": 1, "n": [None, True]}),
                    "time": datetime.fromtimestamp(number / 7, UTC).replace(
                        tzinfo=None if audited.store.engine.dialect.name == "sqlite" else UTC
                    ),
                }
                for n, number in enumerate(range(2100))
            ],
        )
    return audited


def test_what_is_there_is_chained(of_before):
    before = events(of_before)
    with of_before.installation.app.app_context():
        upgrade()
    assert events(of_before) == before
    rows = [
        row
        for stream in (of_before.installation.organization_id, "org_x", INSTALLATION)
        for row in of_before.chain(stream)
    ]
    assert len(rows) == len(before)
    for stream in (of_before.installation.organization_id, "org_x", INSTALLATION):
        assert_chained(of_before.chain(stream))
        ids = [row.id for row in of_before.chain(stream)]
        assert ids == sorted(ids)
    of_before.assert_whole()
    of_before.tokens(2)
    of_before.checkpoint()
    of_before.assert_whole()


def test_down_again_nothing_but_the_chains_is_lost(of_before):
    before = events(of_before)
    with of_before.installation.app.app_context():
        upgrade()
        downgrade(revision="0002")
    assert events(of_before) == before
    with of_before.installation.app.app_context():
        upgrade()
    of_before.assert_whole()


def test_an_empty_log(audited):
    for table in ("audit_events", "audit_streams", "audit_checkpoints"):
        audited.execute(f"DELETE FROM {table}")
    with audited.installation.app.app_context():
        downgrade(revision="0002")
        upgrade()
    assert Audited(audited.installation).verify().is_whole
    audited.tokens(1)
    audited.assert_whole()
