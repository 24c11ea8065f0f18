"""What a verifier has seen arrives at the real server: once, in batches, or kept until it can."""

import asyncio
import subprocess
import sys
from datetime import timedelta

import flask
import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from keyturn import (
    AUTHENTICATED,
    AsyncGuard,
    AsyncVerifier,
    CredentialRefused,
    Guard,
    InsufficientScope,
    RateLimited,
    Route,
    Verifier,
    VerifierUnavailable,
    all_of,
    any_of,
)
from keyturn.asgi import GuardMiddleware
from keyturn.flask import register_refusals, require_scope
from keyturn.limits.local import LocalLimits
from keyturn.starlette import admit, principal_of
from keyturn.usage import ServedRequest, UsageReporter
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


def test_a_bug_does_not_end_its_thread(installation, verifier, counted, caplog):
    key = installation.api_key(["bookings:read"])
    post, failures = verifier.issuer_api.post, [ZeroDivisionError()]

    def fails_once(path, body):
        if failures:
            raise failures.pop()
        return post(path, body)

    verifier.issuer_api.post = fails_once
    usage = UsageReporter(verifier, interval=timedelta(milliseconds=50))
    usage.note(key.id)
    assert eventually(lambda: counted(key.id)) == {("", "success"): 1}
    assert "ZeroDivisionError" in caplog.text
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


def log_of(installation, credential_id):
    """The usage log of a credential, the oldest first."""
    return installation.rows(
        "SELECT * FROM request_records WHERE credential_id = :id ORDER BY id", id=credential_id
    )


@pytest.fixture
def reporting(verifier):
    """``reporting(share, …)``: a reporter of single requests, too."""
    made = []

    def make(share, **also):
        made.append(UsageReporter(verifier, interval=NEVER, requests=share, **also))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.row("S2-43")
def test_single_requests_at_a_flask_app_are_in_the_log(installation, verifier, reporting):
    usage = reporting(1.0)
    key = installation.api_key(["bookings:read"])
    app = flask.Flask(__name__)
    register_refusals(app, request_id=lambda: "req-1")
    guard = Guard(verifier, limits=LocalLimits("3/day"), usage=usage)

    @app.get("/bookings/<int:number>")
    @require_scope(guard, "bookings:read")
    def booking(number):
        flask.abort(404) if number == 404 else None
        return "booked"

    @app.post("/bookings")
    @require_scope(guard, "bookings:create")
    def book():
        raise AssertionError

    client = app.test_client()
    headers = {"Authorization": f"Bearer {key.key}", "User-Agent": "curl/8"}
    sent = [("GET", "/bookings/7?secret=x"), ("GET", "/bookings/404"), ("POST", "/bookings")] * 2
    statuses = [
        client.open(path, method=method, headers=headers).status_code for method, path in sent[:4]
    ]
    client.get("/bookings/7")  # nobody's: it is not in anybody's log
    usage.flush()
    found = log_of(installation, key.id)
    assert [(one.method, one.route, one.status, one.outcome, one.reason) for one in found] == [
        ("GET", "/bookings/<int:number>", 200, "success", None),
        ("GET", "/bookings/<int:number>", 404, "success", None),
        ("POST", "/bookings", 403, "refused", "insufficient_scope"),
        ("GET", "/bookings/<int:number>", 429, "limited", "rate_limited"),
    ]
    assert statuses == [one.status for one in found]
    assert {(one.ip, one.user_agent, one.request_id) for one in found} == {
        ("127.0.0.1", "curl/8", "req-1")
    }
    assert all(one.latency_ms >= 0 for one in found)


async def own_answer(request, refused):
    return JSONResponse({"own": True}, 403)


def own_answer_by_a_thread(request, refused):
    return JSONResponse({"own": True}, 403)


async def let_in_anyway(request, refused):
    return JSONResponse({"own": True})


@pytest.mark.parametrize("kind", [Starlette, FastAPI])
@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        (own_answer, ("refused", "insufficient_scope")),
        (own_answer_by_a_thread, ("refused", "insufficient_scope")),
        (let_in_anyway, ("success", None)),
    ],
)
@pytest.mark.parametrize("path", ["/in-its-midst", "/by-admit"])
def test_a_refusal_that_an_application_answers_itself(
    installation, server, api, counted, kind, handler, outcome, path
):
    key = installation.api_key(["bookings:read"])

    async def ask():
        verifier = AsyncVerifier(server.url, API, *api)
        usage = UsageReporter(verifier, interval=NEVER, requests=1.0)
        guard = AsyncGuard(verifier, usage=usage)

        async def in_its_midst(request: Request):
            principal_of(request.scope).require("bookings:burn")

        async def by_admit(request: Request):
            await admit(request.scope, guard, Route(all_of("bookings:burn")))

        app = kind(exception_handlers={CredentialRefused: handler})
        app.router.add_route("/in-its-midst", in_its_midst)
        app.router.add_route("/by-admit", by_admit)
        app.add_middleware(GuardMiddleware, guard=guard)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url=API,
            headers={"Authorization": f"Bearer {key.key}"},
        ) as client:
            answer = await client.get(path)
        await guard.close()
        return answer

    assert asyncio.run(ask()).json() == {"own": True}
    assert counted(key.id) == {("", outcome[0]): 1}
    [line] = log_of(installation, key.id)
    assert (line.outcome, line.reason) == outcome


def test_by_default_no_single_request_is_reported(installation, reporting, usage):
    key = installation.api_key()
    for one in (usage, reporting(0.0)):
        assert not one.wants_requests
        one.served(key.id, ServedRequest("GET", "/", 200))
        one.flush()
    assert log_of(installation, key.id) == []


def test_a_share_of_them(installation, reporting):
    chances = iter([0.1, 0.9, 0.24, 0.25])
    usage, key = reporting(0.25, chance=lambda: next(chances)), installation.api_key()
    for number in range(4):
        usage.served(key.id, ServedRequest("GET", f"/{number}", 200))
    usage.flush()
    assert [one.route for one in log_of(installation, key.id)] == ["/0", "/2"]


def test_many_requests_make_many_reports_and_what_finds_no_room_is_told(
    installation, reporting, caplog
):
    usage, key = reporting(1.0, room=120), installation.api_key()
    for _ in range(130):
        usage.served(key.id, ServedRequest("GET", "/", 200))
    usage.flush()
    assert len(log_of(installation, key.id)) == 120
    assert "usage: 10 uses found no room" in caplog.text


@pytest.mark.parametrize(
    ("also", "seen"),
    [
        ({"method": "brew"}, {"method": "BREW"}),
        ({"method": "M-SEARCH"}, {"method": "OTHER"}),
        ({"route": "/" * 300}, {"route": "/" * 256}),
        ({"user_agent": "a\x00b" + "é" * 300}, {"user_agent": "ab" + "é" * 254}),
        ({"ip": "unix:"}, {"ip": None}),
        ({"ip": "2001:0DB8::0001"}, {"ip": "2001:db8::1"}),
        ({"seconds": -1.0}, {"latency_ms": 0}),
        ({"request_id": "x" * 70}, {"request_id": "x" * 64}),
    ],
)
def test_whatever_a_request_says_the_issuer_takes_it(installation, reporting, also, seen):
    usage, key = reporting(1.0), installation.api_key()
    usage.served(key.id, ServedRequest(**{"method": "GET", "route": "/", "status": 200, **also}))
    usage.flush()
    [found] = log_of(installation, key.id)
    assert {name: getattr(found, name) for name in seen} == seen


def test_what_cannot_be_set_up():
    with pytest.raises(ValueError, match="no client_id"):
        UsageReporter(Verifier("https://auth.example.com", API))
    for share in (-0.1, 1.1):
        with pytest.raises(ValueError, match="share"):
            UsageReporter(Verifier("https://auth.example.com", API, "c", "s"), requests=share)
    with pytest.raises(ValueError, match="route_class"):
        Route(all_of(), "No Class")
