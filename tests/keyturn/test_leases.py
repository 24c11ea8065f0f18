"""Several verifiers, one budget: leases drawn from the real server."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from keyturn import AsyncVerifier, Principal, RateLimited, Verifier, VerifierUnavailable
from keyturn.limits.leases import LeasedLimits
from tests.keyturn.support import Time, Waited, WaitedLimits
from tests.support.installation import ROOT
from tests.support.served import serving

API = "https://bookings.example"
EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}


@pytest.fixture(scope="module")
def api(installation):
    """A resource that owns the booking scopes, and its own client."""
    installation.resource(API, scopes=["bookings:*"])
    return installation.client(["keyturn:introspect"])


@pytest.fixture(params=["threads", "tasks"])
def verifiers(request, server, api, loop_thread):
    """Makes verifiers, each with leases of its own; those for tasks are waited for."""
    made = []

    def make(**also):
        if request.param == "threads":
            verifier = Verifier(server.url, API, *api)
            limits = LeasedLimits(verifier, **also)
        else:
            verifier = Waited(AsyncVerifier(server.url, API, *api), loop_thread)
            limits = WaitedLimits(LeasedLimits(verifier.verifier, **also), loop_thread)
        made.append(verifier)
        return verifier, limits

    yield make
    for verifier in made:
        verifier.close()


@pytest.fixture
def key(installation):
    return lambda *limits: installation.api_key(["bookings:read"], rate_limits=limits)


def principal_of(key):
    return Principal("api_key", key.id, key.id)


def passed(limits, principal, times, route_class="", cost=1):
    count = 0
    for _ in range(times):
        try:
            limits.take(principal, route_class, cost)
            count += 1
        except RateLimited:
            pass
    return count


@pytest.mark.row("S1-19", "S2-4")
def test_one_budget_for_all_verifiers(verifiers, key):
    """Never more than the limit; fewer by no more than what the others hold: a lease each."""
    limits, lease = [verifiers(lease=8)[1] for _ in range(4)], 8
    who = principal_of(key("200/day", "1000/month"))
    with ThreadPoolExecutor(8) as pool:
        counts = pool.map(lambda n: passed(limits[n % 4], who, 80), range(8))
    first = sum(counts)
    assert 200 - 3 * lease <= first <= 200
    # What one of them cannot use the others can: until all have spent what they hold.
    assert first + sum(passed(one, who, 20) for one in limits) == 200


def test_a_lone_verifier_gets_all_of_it_and_asks_seldom(verifiers, key, server):
    verifier, limits = verifiers()
    asked = []
    draw = verifier.issuer_api.posting
    verifier.issuer_api.posting = lambda *args: asked.append(args) or draw(*args)
    assert passed(limits, principal_of(key("500/day")), 600) == 500
    assert len(asked) < 30


@pytest.mark.row("S2-63", "S2-64")
def test_headers_say_what_is_left_for_all(verifiers, key):
    (_, one), (_, other) = verifiers(), verifiers()
    who = principal_of(key("5/day", "50/month"))
    assert [usage.remaining for usage in one.take(who)] == [4, 49]
    assert [usage.remaining for usage in other.take(who)] == [3, 48]
    assert passed(other, who, 9) == 3
    with pytest.raises(RateLimited) as refused:
        one.take(who)
    day, month = refused.value.usages
    assert day.remaining == 0
    assert 45 - 8 < month.remaining <= 45  # but for what the other one holds
    assert refused.value.retry_after == day.resets_in


def test_a_token_shares_the_budget_of_its_key_and_of_the_key_itself(server, verifiers, key):
    verifier, limits = verifiers()
    made = key("4/day")
    answer = server.post("/oauth/token", data=EXCHANGE | {"subject_token": made.key})
    by_token = verifier.verify(f"Bearer {answer.json()['access_token']}")
    by_key = verifier.verify(f"Bearer {made.key}")
    assert by_token.id == by_key.id == made.id
    assert [limits.take(who)[0].remaining for who in (by_token, by_key, by_token, by_key)] == [
        3, 2, 1, 0
    ]  # fmt: skip
    with pytest.raises(RateLimited):
        limits.take(by_token)


def test_limits_of_a_client_by_class(installation, server):
    org = installation.organization("Limited", scopes=["bookings:read"])
    installation.change_organization(org, profile="experiencelocal")
    installation.resource("https://limited.example", scopes=["bookings:*"], organization=org)
    client = installation.client(["bookings:read"], organization=org)
    own = installation.client(["keyturn:introspect"], organization=org)
    verifier = Verifier(server.url, "https://limited.example", *own)
    principal = verifier.verify(f"Bearer {server.token(client)}")
    limits = LeasedLimits(verifier)
    assert [str(usage.limit) for usage in limits.take(principal, "booking")] == [
        "30/minute", "100/day"
    ]  # fmt: skip
    assert [str(usage.limit) for usage in limits.take(principal, "widget")] == ["100/minute"]
    assert limits.take(principal, "report") == ()
    verifier.close()


def test_what_the_issuer_does_not_show_is_unlimited_and_said(verifiers, caplog):
    _, limits = verifiers()
    assert limits.take(Principal("client", "nobody", "nobody")) == ()
    assert limits.take(Principal("client", "nobody", "nobody")) == ()
    assert caplog.text.count("no limits are known of 'nobody'") == 1


def test_what_costs_more(verifiers, key):
    _, limits = verifiers()
    who = principal_of(key("10/day"))
    assert passed(limits, who, 3, cost=4) == 2
    assert passed(limits, who, 3, cost=2) == 1


FORKING = """
import os, sys
from keyturn import Principal, RateLimited, Verifier
from keyturn.limits.leases import LeasedLimits

url, audience, client_id, client_secret, key_id = sys.argv[1:]
limits = LeasedLimits(Verifier(url, audience, client_id, client_secret))
who = Principal("api_key", key_id, key_id)

def passed(times):
    count = 0
    for _ in range(times):
        try:
            limits.take(who)
            count += 1
        except RateLimited:
            pass
    return count

before = passed(5)  # and it holds some more
child = os.fork()
count = passed(30)
if child:
    os.waitpid(child, 0)
os.write(1, f"{before if child else 0} {count} ".encode())
"""


def test_a_fork_does_not_spend_what_its_parent_holds(server, api, key, verifiers):
    made = key("40/day")
    done = subprocess.run(
        [sys.executable, "-c", FORKING, server.url, API, *api, made.id],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = [int(count) for count in done.stdout.split()]
    assert sum(counts) + passed(verifiers()[1], principal_of(made), 40) <= 40
    assert sum(counts) > 20


# A bad day --------------------------------------------------------------------------------------


def test_an_issuer_that_is_away(installation, api, key, caplog):
    time = Time()
    who = principal_of(key("10/day"))
    with serving(installation) as server:
        verifier = Verifier(server.url, API, *api)
        limits, strict, fresh = (
            LeasedLimits(verifier, *default, is_strict=is_strict, monotonic=time.monotonic)
            for default, is_strict in (((), False), ((), True), (("3/day",), False))
        )
        assert passed(limits, who, 2) == 2
        assert passed(strict, who, 1) == 1
    # What is held is spent; then it counts by itself, by what it knows, and tries again later.
    assert passed(limits, who, 30) >= 10
    assert caplog.text.count("limits are not counted together") == 1
    with pytest.raises(RateLimited):
        limits.take(who)
    assert passed(fresh, who, 5) == 3
    with pytest.raises(VerifierUnavailable):
        strict.take(who)
    caplog.clear()
    time.advance(30)
    assert passed(limits, who, 1) == 0
    assert caplog.text.count("limits are not counted together") == 1
    verifier.close()


def test_an_api_without_the_right_is_told_so_in_its_log(installation, server, key, caplog):
    verifier = Verifier(server.url, API, *installation.client(["bookings:read"]))
    assert LeasedLimits(verifier, "1/day").take(principal_of(key("5/day")))[0].remaining == 0
    assert "limits are not counted together for 5 s: /v1/leases: token endpoint" in caplog.text
    verifier.close()


def test_what_cannot_be_set_up():
    with pytest.raises(ValueError, match="no client_id"):
        LeasedLimits(Verifier("https://auth.example.com", API))
    with pytest.raises(ValueError, match="lease"):
        LeasedLimits(Verifier("https://auth.example.com", API, "c", "s"), lease=0)
