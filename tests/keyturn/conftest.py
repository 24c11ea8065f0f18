"""Fixtures of the library's tests."""

from datetime import timedelta

import pytest

from keyturn import AsyncVerifier, Verifier
from keyturn.client import Backoff, TokenSource
from tests.keyturn.support import AUDIENCE, CLIENT_SECRET, LoopThread, Time, Waited, running_issuer


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def issuer():
    with running_issuer() as running:
        yield running


@pytest.fixture(scope="session")
def loop_thread():
    """An event loop in a thread of its own."""
    with LoopThread() as running:
        yield running


@pytest.fixture(params=["threads", "tasks"])
def verifier_of(request, issuer, time):
    """A verifier of tokens and keys at the running issuer: a `Verifier`, and an `AsyncVerifier`
    that is waited for."""
    made = []

    def make(**changes):
        settings = {
            "audience": AUDIENCE,
            "client_id": "api_1",
            "client_secret": "kts_live_x",
            "timeout": timedelta(seconds=5),
            "clock": time.now,
            "monotonic": time.monotonic,
        } | changes
        if request.param == "threads":
            made.append(Verifier(issuer.url, **settings))
        else:
            loop = request.getfixturevalue("loop_thread")
            made.append(Waited(AsyncVerifier(issuer.url, **settings), loop))
        return made[-1]

    yield make
    for verifier in made:
        verifier.close()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def source_of(issuer, time, slept):
    made = []

    def make(**changes):
        settings = {
            "issuer": issuer.url,
            "client_id": "desk",
            "client_secret": CLIENT_SECRET,
            "backoff": Backoff(attempts=3, sleep=slept.append, chance=lambda: 0.0),
            "monotonic": time.monotonic,
            "chance": lambda: 1.0,
            "environ": {},
        }
        made.append(TokenSource(**settings | changes))
        return made[-1]

    yield make
    for source in made:
        source.close()


@pytest.fixture
def source(source_of):
    return source_of()
