"""The thread that looks after status lists: when it begins, what it outlives, where it ends."""

import gc
import os
import threading
import time as real_time
from datetime import timedelta

import pytest

from keyturn import Verifier
from keyturn import statuses as module
from tests.keyturn.listed import LIST, REVOKED, made_for, refused, token
from tests.keyturn.support import (
    AUDIENCE,
    NOW,
)
from tests.support.served import eventually


def ours():
    return [one for one in threading.enumerate() if one.name == "keyturn-status"]


@pytest.fixture
def quick(issuer):
    """By real clocks, and a thread that really comes round."""
    issuer.list_claims = {"exp": NOW + 10**9}
    made = made_for(issuer, None, status_interval=timedelta(milliseconds=100))
    yield made
    made.close()


def lasting(issuer, **also):
    return token(issuer, exp=NOW + 10**9, **also)


def test_it_learns_of_a_revocation_by_itself(issuer, quick):
    presented = lasting(issuer)
    assert ours() == []  # nothing before the first token
    assert refused(quick, presented) is None
    assert len(ours()) == 1
    issuer.statuses = {7: 1}
    assert eventually(lambda: refused(quick, presented)) == REVOKED
    asked = [seen for seen in issuer.seen_headers if "if-none-match" in seen]
    assert {seen["accept"] for seen in asked} == {"application/statuslist+jwt"}


def test_it_outlives_a_bad_answer_and_a_bug(issuer, quick, monkeypatch):
    presented = lasting(issuer)
    assert refused(quick, presented) is None
    whole, failed = module.Statuses.refresh, []

    def failing(self):
        failed.append(1)
        raise RuntimeError("a bug")

    monkeypatch.setattr(module.Statuses, "refresh", failing)
    eventually(lambda: failed)
    monkeypatch.setattr(module.Statuses, "refresh", whole)
    issuer.statuses = {7: 1}
    assert eventually(lambda: refused(quick, presented)) == REVOKED


def test_it_ends_with_its_verifier(issuer, quick):
    other = made_for(issuer, None, status_interval=timedelta(milliseconds=100))
    refused(quick, lasting(issuer))
    refused(other, lasting(issuer))
    assert len(ours()) == 2
    del other
    gc.collect()
    eventually(lambda: len(ours()) == 1)
    quick.close()
    eventually(lambda: ours() == [])


@pytest.mark.filterwarnings("ignore:This process")  # forking with threads is the point
def test_a_forked_worker_has_a_thread_of_its_own(issuer, quick):
    presented = lasting(issuer)
    assert refused(quick, presented) is None
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            first = refused(quick, presented)
            os.write(writing, b"0" if first is None and len(ours()) == 1 else b"x")
            until = real_time.monotonic() + 20
            while refused(quick, presented) is None and real_time.monotonic() < until:
                real_time.sleep(0.01)
            os.write(writing, b"1" if refused(quick, presented) == REVOKED else b"x")
        finally:
            os._exit(0)
    assert os.read(reading, 1) == b"0"
    issuer.statuses = {7: 1}
    assert os.read(reading, 1) == b"1"
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("interval", [timedelta(0), timedelta(milliseconds=99), timedelta(hours=2)])
def test_settings_that_cannot_be(issuer, interval):
    with pytest.raises(ValueError, match="status_interval"):
        Verifier(issuer.url, AUDIENCE, status_interval=interval)


def test_it_can_be_left_out(issuer, time):
    issuer.statuses = {7: 1}
    verifier = made_for(issuer, time, status_interval=None)
    assert refused(verifier, token(issuer)) is None
    assert issuer.hits[LIST] == 0
