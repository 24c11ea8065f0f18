"""The schema: up, down and up again, on both databases, and no drift between it and the models."""

import json
import subprocess
import sys

import pytest
from alembic.script import ScriptDirectory
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect, text

from app import create_app
from app.settings import Settings
from app.storage.models import Base
from app.storage.schema import MIGRATIONS
from app.wiring import services
from tests.support.installation import ROOT, installed, process_environ

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


def test_the_database_says_which_code_may_use_it(app):
    """What its migration declares; by itself nothing older than that."""
    script = ScriptDirectory(str(MIGRATIONS))
    says = REVISIONS.index("0005")
    for revision in REVISIONS[says:]:
        upgrade(revision=revision)
        with services(app).store.connect() as connection:
            found = connection.execute(text("SELECT oldest_code FROM alembic_version")).scalar()
        assert found == getattr(script.get_revision(revision).module, "oldest_code", revision)
        assert REVISIONS.index(found) <= REVISIONS.index(revision)


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


STARTER = """
import sys
from wsgi import app
print("ready", flush=True)
sys.stdin.readline()
app.cli.main(["bootstrap", "--json"])
"""


def at_once(count, environ):
    """What that many ``flask bootstrap`` print that begin together, after all their imports."""
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        for process in starters:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in starters:
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=200) for process in starters]
    finally:
        for process in starters:
            process.kill()
            process.communicate()
    for process, (_, stderr) in zip(starters, answers, strict=True):
        assert process.returncode == 0, stderr
    return [json.loads(stdout) for stdout, _ in answers]


@pytest.mark.timeout(300)  # each imports everything, on a machine that may be busy
def test_nodes_that_start_at_once(tmp_path, database_url):
    """All find the whole schema, the keys and the operator; one of them made each."""
    environ = process_environ(
        {"KEYTURN_DATABASE_URL": database_url, "KEYTURN_KEYS_DIR": str(tmp_path / "keys")}
    )
    made = at_once(2, environ)
    assert sorted(one is None for one in made) == [False, True]
    later = create_app(Settings.from_env(environ))
    again = later.test_cli_runner().invoke(args=["bootstrap", "--json"])
    assert (again.exit_code, again.stdout) == (0, "null\n"), again.output
    services(later).store.engine.dispose()
