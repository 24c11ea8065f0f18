"""Fixtures of the server's tests: real databases, real installations, a really served process.

``installation`` and ``server`` belong together: one of each a module, the second serving the
first. A test that breaks something takes ``fresh_installation``. Every fixture is one worker's
own (pytest-xdist), so nothing here is shared between processes.
"""

import os

import pytest

from tests.support import redis
from tests.support.installation import installed
from tests.support.postgres import Postgres, PostgresMissing
from tests.support.served import serving
from tests.support.skips import NOT_AS_ROOT


def pytest_addoption(parser):
    parser.addoption(
        "--screenshots", action="store_true", help="write docs/screenshots from tests/browser"
    )


LONG = ("benchmarks", "chaos", "browser", "operations", "examples", "interop")
"""What waits for many servers, commands and pages; in this order."""


def pytest_collection_modifyitems(items):
    """The long ones begin first: what a worker has left in the end, others can take from it."""

    def turn(item):
        room = item.path.parent.name
        return LONG.index(room) if room in LONG else len(LONG)

    items.sort(key=turn)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Under CI nothing is skipped (CONTRACT §1), but for what root cannot be refused."""
    report = yield
    if (
        report.skipped
        and os.environ.get("CI") == "true"
        and NOT_AS_ROOT not in str(report.longrepr)
    ):
        report.outcome, report.longrepr = "failed", f"skipped under CI: {report.longrepr}"
    return report


def running_postgres(**also):
    try:
        return Postgres.start(**also)
    except PostgresMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server of this worker's own; ``postgres.create()`` is a new database."""
    running = running_postgres()
    yield running
    running.stop()


@pytest.fixture
def postgres_server():
    """One for this test alone, to be halted and resumed; never somebody else's."""
    running = running_postgres(own=True)
    yield running
    running.stop()


@pytest.fixture
def postgres_url(postgres):
    """An empty PostgreSQL database."""
    return postgres.create()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """An empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'database' / 'keyturn.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """An installation on SQLite that this module fills as it likes."""
    with installed(tmp_path_factory.mktemp("installation")) as made:
        yield made


@pytest.fixture
def fresh_installation(tmp_path):
    """An installation on SQLite for one test alone."""
    with installed(tmp_path / "fresh") as made:
        yield made


@pytest.fixture
def any_installation(tmp_path, database_url):
    """An installation for one test alone, once on each kind of database."""
    with installed(tmp_path / "any", database_url) as made:
        yield made


@pytest.fixture(scope="module")
def server(installation):
    """``installation``, served by Granian on a real socket."""
    with serving(installation) as served:
        yield served


@pytest.fixture(scope="session")
def redis_url():
    """A Redis server of this worker's own."""
    if url := redis.named():
        yield url
        return
    try:
        running = redis.RedisServer.found()
        running.start()
    except redis.RedisMissing as error:
        pytest.skip(str(error))
    yield running.url
    running.stop()
