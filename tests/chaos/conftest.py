"""What the chaos suite breaks: a PostgreSQL, a Redis and three nodes that are nobody else's.

Its short form is a part of ``make test``; ``make soak`` runs the long one (``--soak``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.load import Load
from tests.support.installation import installed
from tests.support.postgres import Postgres, PostgresMissing
from tests.support.redis import RedisMissing, RedisServer

HERE = os.path.dirname(__file__)


@dataclass(frozen=True)
class Scale:
    """How much is done; seconds, and how often."""

    clients: int
    kills: int
    between_kills: float
    database_away: float
    redis_away: float
    rotations: int
    between_rotations: float
    grace: int
    rolls: int


SHORT = Scale(
    clients=4,
    kills=5,
    between_kills=0.3,
    database_away=3,
    redis_away=1.5,
    rotations=3,
    between_rotations=0.3,
    grace=4,
    rolls=1,
)
SOAK = Scale(
    clients=8,
    kills=50,
    between_kills=1,
    database_away=30,
    redis_away=15,
    rotations=6,
    between_rotations=35,
    grace=30,
    rolls=5,
)


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="the chaos suite in its long form")


def _is_soak(config):
    # Not known where pytest has met this file only while it collected: then it was not given.
    return bool(config.getoption("soak", default=False))


def pytest_collection_modifyitems(config, items):
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.timeout(1800 if _is_soak(config) else 240))


@pytest.fixture(scope="session")
def scale(request):
    return SOAK if _is_soak(request.config) else SHORT


def _or_skip(make, missing):
    try:
        return make()
    except missing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def database():
    """A PostgreSQL to halt and resume."""
    running = _or_skip(lambda: Postgres.start(own=True), PostgresMissing)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def redis():
    """A Redis to stop and start."""

    def started():
        found = RedisServer.found()
        found.start()
        return found

    running = _or_skip(started, RedisMissing)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def cluster(database, redis, tmp_path_factory):
    """Three nodes of two workers; each token request counts in Redis, though no limit is near."""
    directory = tmp_path_factory.mktemp("chaos")
    with installed(directory, database.create(), KEYTURN_POLL_INTERVAL="250") as installation:
        nodes = Cluster(
            installation,
            workers=2,
            KEYTURN_REDIS_URL=redis.url,
            KEYTURN_TOKEN_RATE_LIMIT="1000000/minute",
        )
        with nodes.running():
            yield nodes


@pytest.fixture
def load(cluster, scale):
    """``load()``: a load that has not begun, of clients that nobody else uses."""

    def make(clients=None):
        made = [cluster.installation.client() for _ in range(clients or scale.clients)]
        return Load(cluster, made)

    return make
