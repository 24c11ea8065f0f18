"""What a verifier has seen arrives at the real server: once, in batches, or kept until it can."""

import subprocess
import sys
from datetime import timedelta

import pytest

from keyturn import (
    AUTHENTICATED,
    Guard,
    InsufficientScope,
    RateLimited,
    Route,
    Verifier,
    VerifierUnavailable,
    all_of,
    any_of,
)
from keyturn.limits.local import LocalLimits
from keyturn.usage import UsageReporter
from tests.support.installation import ROOT
from tests.support.served import eventually, serving

API = "https://bookings.example"
NEVER = timedelta(hours=9)


@pytest.fixture(scope="module")
def api(installation):
    """A resource that owns the booking scopes, and its own client."""
    installation.resource(API, scopes=["bookings:*"])
    return installation.client(["keyturn:introspect"])


@pytest.fixture
def verifier(server, api):
    made = Verifier(server.url, API, *api)
    yield made
    made.close()


@pytest.fixture
def usage(verifier):
    made = UsageReporter(verifier, interval=NEVER)
    yield made
    made.close()


@pytest.fixture
def counted(installation):
    """What the server has counted of a credential, by class and outcome."""

    def read(credential_id):
        installation.services.shipper.ship_now()
        rows = installation.rows(
            "SELECT route_class, outcome, SUM(count) AS total FROM usage_counts"
            " WHERE credential_id = :id AND route_class NOT LIKE 'keyturn:%'"
            " GROUP BY route_class, outcome",
            id=credential_id,
        )
        return {(row.route_class, row.outcome): row.total for row in rows}

    return read


@pytest.mark.row("S1-12")
@pytest.mark.parametrize("kind", ["token", "key"])
def test_what_a_guard_sees_is_reported(installation, server, verifier, usage, counted, kind):
    guard = Guard(verifier, limits=LocalLimits("3/day:booking"), usage=usage)
    if kind == "key":
        made = installation.api_key(["bookings:read"])
        id, authorization = made.id, f"Bearer {made.key}"
    else:
        client = installation.client(["bookings:read"])
        id, authorization = client.client_id, f"Bearer {server.token(client)}"
    booking = Route(any_of("bookings:write", "bookings:read"), "booking")
    for ip in ("192.0.2.1", "192.0.2.77"):
        guard.admit(authorization, booking, ip=ip)
    guard.admit(authorization, AUTHENTICATED, ip="2001:db8:1::5")
    with pytest.raises(InsufficientScope):
        guard.admit(authorization, Route(all_of("bookings:create"), "booking"), ip="192.0.2.1")
    with pytest.raises(RateLimited):
        guard.admit(authorization, booking, ip="192.0.2.1")
    usage.flush()
    assert counted(id) == {
        ("booking", "success"): 2,
        ("", "success"): 1,
        ("booking", "refused"): 1,
        ("booking", "limited"): 1,
    }
    scopes = installation.rows("SELECT scope FROM usage_scopes WHERE credential_id = :id", id=id)
    assert [row.scope for row in scopes] == ["bookings:read"]
    networks = installation.rows(
        "SELECT network FROM usage_networks WHERE credential_id = :id", id=id
    )
    assert {"192.0.2.0/24", "2001:db8:1::/48"} <= {row.network for row in networks}


def test_many_kinds_make_many_reports(installation, usage, counted):
    key = installation.api_key(["bookings:read"])
    for number in range(250):
        usage.note(key.id, route_class=f"c{number}")
    usage.flush()
    assert len(counted(key.id)) == 250


def test_it_reports_by_itself(installation, verifier, counted):
    key = installation.api_key(["bookings:read"])
    usage = UsageReporter(verifier, interval=timedelta(milliseconds=50))
    usage.note(key.id)
    assert eventually(lambda: counted(key.id)) == {("", "success"): 1}
    usage.close()


def test_a_report_whose_answer_is_lost_counts_once(installation, verifier, usage, counted):
    key = installation.api_key(["bookings:read"])
    post = verifier.issuer_api.post

    def lose(path, body):
        post(path, body)
        raise VerifierUnavailable(detail="the answer is lost")

    usage.note(key.id)
    verifier.issuer_api.post = lose
    with pytest.raises(VerifierUnavailable):
        usage.flush()
    verifier.issuer_api.post = post
    usage.note(key.id)
    usage.flush()
    assert counted(key.id) == {("", "success"): 2}


def test_an_outage_loses_nothing_but_what_finds_no_room(installation, api, counted, caplog):
    key = installation.api_key(["bookings:read"])
    with serving(installation) as server:
        verifier = Verifier(server.url, API, *api)
        usage = UsageReporter(verifier, interval=NEVER, room=3)
        usage.note(key.id)
        usage.flush()
        port = int(server.url.rpartition(":")[2])
    for route_class in ("a", "b", "c", "d", "a"):
        usage.note(key.id, route_class=route_class)
    with pytest.raises(VerifierUnavailable):
        usage.flush()
    usage.note(key.id, route_class="e")
    with pytest.raises(VerifierUnavailable):
        usage.flush()
    assert caplog.text.count("usage: 1 uses found no room") == 2
    with serving(installation, port=port):
        usage.flush()
        usage.close()
        verifier.close()
    assert counted(key.id) == {
        ("", "success"): 1,
        ("a", "success"): 2,
        ("b", "success"): 1,
        ("c", "success"): 1,
    }


ENDING = """
import os, sys
from keyturn import Verifier
from keyturn.usage import UsageReporter

url, audience, client_id, client_secret, key_id = sys.argv[1:]
usage = UsageReporter(Verifier(url, audience, client_id, client_secret))
usage.note(key_id, route_class="both")
child = os.fork()
usage.note(key_id, route_class="both")
if child:
    os.waitpid(child, 0)
"""


def test_what_is_left_is_sent_at_the_end_and_once_after_a_fork(installation, server, api, counted):
    key = installation.api_key(["bookings:read"])
    done = subprocess.run(
        [sys.executable, "-c", ENDING, server.url, API, *api, key.id],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert counted(key.id) == {("both", "success"): 3}


def test_what_cannot_be_set_up():
    with pytest.raises(ValueError, match="no client_id"):
        UsageReporter(Verifier("https://auth.example.com", API))
    with pytest.raises(ValueError, match="route_class"):
        Route(all_of(), "No Class")
