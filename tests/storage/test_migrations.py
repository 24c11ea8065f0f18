"""The schema: up, down and up again, on both databases, and no drift between it and the models."""

import pytest
from alembic.script import ScriptDirectory
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect

from app import create_app
from app.settings import Settings
from app.storage.models import Base
from app.storage.schema import MIGRATIONS
from app.wiring import services
from tests.support.installation import installed

REVISIONS = [
    one.revision for one in reversed(list(ScriptDirectory(str(MIGRATIONS)).walk_revisions()))
]
"""The oldest first."""


@pytest.fixture
def app(tmp_path, database_url):
    made = create_app(
        Settings(
            database_url=database_url,
            keys_dir=str(tmp_path / "keys"),
            journal_dir=str(tmp_path / "journal"),
        )
    )
    with made.app_context():
        yield made
    services(made).store.engine.dispose()


def tables(app):
    return set(inspect(services(app).store.engine).get_table_names())


def test_there_is_one_line_of_revisions():
    script = ScriptDirectory(str(MIGRATIONS))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


def test_up_down_up(app):
    upgrade()
    everything = set(Base.metadata.tables) | {"alembic_version"}
    assert tables(app) == everything
    downgrade(revision="base")
    assert tables(app) == {"alembic_version"}
    upgrade()
    assert tables(app) == everything


def test_one_step_at_a_time(app):
    for revision in REVISIONS:
        upgrade(revision=revision)
    for _ in REVISIONS:
        downgrade()
    assert tables(app) == {"alembic_version"}


def test_the_models_and_the_migrations_say_the_same(app):
    upgrade()
    check()  # raises where autogenerate would find something to do


def test_upgrading_again_changes_nothing(app):
    upgrade()
    upgrade()
    services(app).keyring  # noqa: B018 - the services stand on the upgraded schema
    assert tables(app) == set(Base.metadata.tables) | {"alembic_version"}


def test_what_is_stored_survives_one_step_down_and_up(tmp_path, database_url):
    """The last migration is undone and done again under an installation in use."""
    with installed(tmp_path / "used", database_url) as used:
        client = used.client()
        key = used.api_key()
        if len(REVISIONS) > 1:
            with used.app.app_context():
                downgrade()
                upgrade()
        response = used.http.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=client
        )
        assert response.status_code == 200
        assert used.rows("SELECT id FROM api_keys") == [(key.id,)]


def test_two_upgrades_at_once(tmp_path, database_url):
    """Two nodes that start together: both end with the whole schema, or one says why not."""
    import subprocess
    import sys

    from tests.support.installation import ROOT, process_environ

    environ = process_environ(
        {"KEYTURN_DATABASE_URL": database_url, "KEYTURN_KEYS_DIR": str(tmp_path / "keys")}
    )
    if database_url.startswith("sqlite"):
        (tmp_path / "database").mkdir()
    command = [sys.executable, "-m", "flask", "bootstrap", "--json"]
    both = [
        subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60) for process in both]
    codes = [process.returncode for process in both]
    for code, (_, stderr) in zip(codes, answers, strict=True):
        assert b"Traceback" not in stderr, stderr.decode()
        assert code in (0, 1)
    assert 0 in codes, answers
    # Whatever happened, the next start finds everything in order.
    again = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=60)
    assert again.returncode == 0, again.stderr
