"""A token that was in order a moment ago: what is still looked at when it comes again."""

from datetime import timedelta

import pytest

from keyturn import CredentialRefused, Verifier
from tests.keyturn.support import AUDIENCE, NOW, OTHER_EC_KEY, FakeIssuer, Reply, good_token, jwk


@pytest.fixture
def verifier(issuer, time):
    clocks = {"clock": time.now, "monotonic": time.monotonic}
    apart = {"status_interval": timedelta(hours=1), "leeway": timedelta(0)}
    with Verifier(issuer.url, AUDIENCE, **apart, **clocks) as made:
        yield made


def bearer(issuer, **also):
    return "Bearer " + good_token(iss=issuer.url, status=issuer.place(7), **also)


def refusal(verifier, presented):
    """(reason, HTTP status); None where there is none."""
    try:
        verifier.verify(presented)
    except CredentialRefused as error:
        return str(error.reason), error.status
    return None


@pytest.mark.parametrize(("life", "expected"), [(2, ("expired", 401)), (900, None)])
def test_exp_counts_to_the_moment(issuer, verifier, time, life, expected):
    presented = bearer(issuer, exp=NOW + life)
    for _ in range(4):
        assert refusal(verifier, presented) is None
        time.advance(0.45)
    time.advance(0.3)  # within a second of the last look at anything else
    assert refusal(verifier, presented) == expected


def test_a_list_that_is_over_within_the_second_ends_it_then(issuer, verifier, time):
    issuer.list_claims = {"exp": NOW + 2}
    presented = bearer(issuer)
    time.advance(1.9)
    assert refusal(verifier, presented) is None
    issuer.instead[FakeIssuer.LIST] = Reply(500)
    time.advance(0.2)
    assert refusal(verifier, presented) == ("unavailable", 503)


def test_news_count_at_once_and_not_after_a_second(issuer, verifier):
    presented = bearer(issuer)
    assert refusal(verifier, presented) is None
    issuer.statuses = {7: 1}
    verifier.refresh()  # the clock stands still
    assert refusal(verifier, presented) == ("revoked", 401)


def test_a_key_that_is_gone_ends_its_tokens_within_a_second(issuer, verifier, time):
    presented = bearer(issuer)
    for seconds in (0, 299.5):
        time.advance(seconds)
        assert refusal(verifier, presented) is None
    issuer.keys, issuer.jwks_headers = [jwk(OTHER_EC_KEY, "k2")], {}
    time.advance(1.0)  # the keys have been due for half a second
    assert refusal(verifier, presented) == ("unknown_key", 401)


def test_a_clock_that_is_set_back_makes_nothing_good_for_longer(issuer, time):
    """By an hour, while the stop watch goes on: keys are due by that."""
    back = timedelta(0)
    clocks = {"clock": lambda: time.now() - back, "monotonic": time.monotonic}
    with Verifier(issuer.url, AUDIENCE, **clocks) as verifier:
        presented = bearer(issuer)
        assert refusal(verifier, presented) is None
        issuer.keys, issuer.jwks_headers = [jwk(OTHER_EC_KEY, "k2")], {}
        time.advance(301)
        back = timedelta(hours=1)
        assert refusal(verifier, presented) == ("unknown_key", 401)
