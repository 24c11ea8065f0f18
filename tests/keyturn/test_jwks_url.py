"""Keys from a URL: cached, refreshed once, never lost to a stranger or a failure."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from keyturn import JwksUrl, VerifierUnavailable
from keyturn.fetch import Fetch
from tests.keyturn.support import EC_KEY, ED_KEY, OTHER_EC_KEY, FakeIssuer, Reply, compressed, jwk

JWKS = FakeIssuer.JWKS


@pytest.fixture
def keys(issuer, time):
    fetch = Fetch(timedelta(seconds=5))
    yield JwksUrl(issuer.url + JWKS, fetch=fetch, monotonic=time.monotonic)
    fetch.close()


def test_keys_are_fetched_once_and_when_they_are_due(issuer, keys, time):
    assert issuer.hits[JWKS] == 0  # nothing before the first token
    for _ in range(100):
        assert keys.get("k1").kid == "k1"
    assert issuer.hits[JWKS] == 1
    time.advance(299)
    assert keys.get("k1")
    assert issuer.hits[JWKS] == 1
    time.advance(1)
    assert keys.get("k1")
    assert issuer.hits[JWKS] == 2
    assert issuer.seen_headers[-1]["if-none-match"] == '"v1"'  # and the answer was a 304
    time.advance(299)
    assert keys.get("k1")
    assert issuer.hits[JWKS] == 2


@pytest.mark.parametrize(
    ("cache_control", "lifetime"),
    [
        (None, 300),
        ("max-age=120", 120),
        ("public, MAX-AGE=120, must-revalidate", 120),
        ("max-age=0", 30),
        ("max-age=1", 30),
        ("max-age=86400", 3600),
        ("max-age=999999999", 3600),
        ("max-age=99999999999999999999", 300),
        ("max-age=-1", 300),
        ("max-age=abc", 300),
        ("s-maxage=60", 300),
        ("no-store", 30),
        ("no-cache, max-age=900", 30),
    ],
)
def test_the_lifetime_is_the_issuers_within_bounds(issuer, keys, time, cache_control, lifetime):
    issuer.jwks_headers = {"Cache-Control": cache_control} if cache_control else {}
    keys.get("k1")
    time.advance(lifetime - 1)
    keys.get("k1")
    assert issuer.hits[JWKS] == 1
    time.advance(1)
    keys.get("k1")
    assert issuer.hits[JWKS] == 2


def test_a_rotated_key_is_found_without_waiting(issuer, keys, time):
    assert keys.get("k1")
    time.advance(31)
    issuer.keys = [jwk(EC_KEY, "k1"), jwk(OTHER_EC_KEY, "k2")]
    issuer.jwks_headers["ETag"] = '"v2"'
    assert keys.get("k2").kid == "k2"
    assert issuer.hits[JWKS] == 2
    assert keys.get("k1")


def test_a_retired_key_is_gone_after_the_refresh(issuer, keys, time):
    assert keys.get("k1")
    issuer.keys = [jwk(OTHER_EC_KEY, "k2")]
    issuer.jwks_headers["ETag"] = '"v2"'
    time.advance(300)
    assert keys.get("k1") is None
    assert keys.get("k2")


def test_a_flood_of_unknown_kids_is_one_request_a_cooldown(issuer, keys, time):
    assert keys.get("k1")
    for n in range(1000):
        assert keys.get(f"forged-{n}") is None
    assert issuer.hits[JWKS] == 1  # the first fetch started the cooldown
    time.advance(30)
    for n in range(1000):
        assert keys.get(f"forged-{n}") is None
    assert issuer.hits[JWKS] == 2
    assert keys.get("k1")
    assert len(keys._missed) <= 1


def test_a_kid_that_was_not_found_waits_two_cooldowns(issuer, keys, time):
    assert keys.get("k1")
    time.advance(30)
    assert keys.get("old") is None
    time.advance(30)
    assert keys.get("old") is None
    assert issuer.hits[JWKS] == 2
    assert keys.get("other") is None
    assert issuer.hits[JWKS] == 3
    time.advance(30)
    assert keys.get("old") is None
    assert issuer.hits[JWKS] == 4


GARBAGE = [
    Reply(500, b"oops"),
    Reply(404, b"{}"),
    Reply(200, b""),
    Reply(200, b"<html>"),
    Reply(200, b"{}"),
    Reply(200, b'{"keys": []}'),
    Reply(200, b'{"keys": [{"kty": "oct", "k": "YQ", "kid": "k1"}]}'),
    Reply(200, b'{"keys": [], "keys": []}'),
    Reply(200, b"[" * 50_000),
    Reply(200, b" " * 300_000 + b'{"keys": []}'),
    Reply(302, b"", {"Location": "/elsewhere"}),
    Reply(301, b"", {"Location": "http://169.254.169.254/"}),
    compressed(json.dumps({"keys": [jwk(OTHER_EC_KEY, "k1")]}).encode()),
]


@pytest.mark.parametrize("reply", GARBAGE, ids=lambda r: f"{r.status} {r.body[:12]!r}")
def test_a_failed_refresh_keeps_the_keys(issuer, keys, time, reply):
    first = keys.get("k1")
    issuer.instead[JWKS] = reply
    issuer.jwks_headers = {}
    time.advance(300)
    assert keys.get("k1") is first
    assert issuer.hits[JWKS] == 2
    for _ in range(50):
        assert keys.get("k1") is first
    assert issuer.hits[JWKS] == 2  # no retry for every request
    time.advance(5)
    assert keys.get("k1") is first
    assert issuer.hits[JWKS] == 3
    assert issuer.hits["/elsewhere"] == 0


@pytest.mark.parametrize(
    "reply", [*GARBAGE, Reply(304, b"")], ids=lambda r: f"{r.status} {r.body[:12]!r}"
)
def test_garbage_at_the_start_is_503_and_then_heals(issuer, keys, time, reply):
    issuer.instead[JWKS] = reply
    with pytest.raises(VerifierUnavailable) as refused:
        keys.get("k1")
    assert refused.value.retry_after == 5
    for _ in range(50):
        with pytest.raises(VerifierUnavailable):
            keys.get("k1")
    assert issuer.hits[JWKS] == 1
    issuer.up()
    time.advance(5)
    assert keys.get("k1")


def test_stale_keys_serve_for_an_hour_and_not_longer(issuer, keys, time):
    first = keys.get("k1")
    issuer.down(JWKS)
    time.advance(300 + 3599)
    assert keys.get("k1") is first
    time.advance(1)
    with pytest.raises(VerifierUnavailable):
        keys.get("k1")
    issuer.up()
    time.advance(5)
    assert keys.get("k1")


def test_an_unknown_kid_while_the_issuer_is_down_is_not_the_callers_fault(issuer, keys, time):
    assert keys.get("k1")
    issuer.down(JWKS)
    time.advance(30)
    for _ in range(3):
        with pytest.raises(VerifierUnavailable):
            keys.get("k2")
    assert issuer.hits[JWKS] == 2
    assert keys.get("k1")
    issuer.up()
    time.advance(30)
    assert keys.get("k2") is None


def test_others_go_on_with_the_keys_there_are_while_one_refreshes(issuer, keys, time):
    first = keys.get("k1")
    gate = threading.Event()
    issuer.entered.clear()
    issuer.instead[JWKS] = Reply(500, b"", gate=gate)
    time.advance(300)
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(keys.get, "k1")
        assert issuer.entered.wait(10)
        for _ in range(20):
            assert keys.get("k1") is first
        assert not refreshing.done()
        gate.set()
        assert refreshing.result(10) is first
    assert issuer.hits[JWKS] == 2


def test_a_cold_start_of_many_threads_is_one_request(issuer, keys):
    barrier = threading.Barrier(16)

    def first_token():
        barrier.wait(10)
        return keys.get("k1")

    with ThreadPoolExecutor(16) as pool:
        found = [f.result(10) for f in [pool.submit(first_token) for _ in range(16)]]
    assert all(found)
    assert issuer.hits[JWKS] == 1


def test_a_new_key_under_load_is_one_request_and_no_refusal(issuer, keys, time):
    assert keys.get("k1")
    time.advance(30)
    issuer.keys.append(jwk(OTHER_EC_KEY, "k2"))
    issuer.jwks_headers["ETag"] = '"v2"'
    barrier = threading.Barrier(16)

    def new_token():
        barrier.wait(10)
        return keys.get("k2")

    with ThreadPoolExecutor(16) as pool:
        found = [f.result(10) for f in [pool.submit(new_token) for _ in range(16)]]
    assert all(found)
    assert issuer.hits[JWKS] == 2


def test_other_algorithms_are_asked_for(issuer, time):
    issuer.keys.append(jwk(ED_KEY, "k2"))
    fetch = Fetch()
    keys = JwksUrl(issuer.url + JWKS, algorithms=["EdDSA"], fetch=fetch, monotonic=time.monotonic)
    assert keys.get("k2")
    assert keys.get("k1") is None
    fetch.close()


def test_a_slow_issuer_is_given_up(issuer, time):
    fetch = Fetch(timedelta(seconds=0.2))
    keys = JwksUrl(issuer.url + JWKS, fetch=fetch, monotonic=time.monotonic)
    gate = threading.Event()
    issuer.instead[JWKS] = Reply(gate=gate)
    with pytest.raises(VerifierUnavailable):
        keys.get("k1")
    gate.set()
    issuer.instead[JWKS] = Reply(drip=True)
    time.advance(5)
    with pytest.raises(VerifierUnavailable) as refused:
        keys.get("k1")
    assert "not complete" in refused.value.detail
    fetch.close()
