"""A bad day at a resource server, clause by clause, before servers that are really faulty.

What other modules decide is not repeated here:

| clause | decided by |
|---|---|
| the issuer is down at the start: fail, or start degraded; readiness tells | here |
| down later: stale keys, and no longer | `test_jwks_url`: …_for_an_hour_and_not_longer |
| down later: stale lists, then closed or open by choice | `test_statuses`: …_no_longer_than_its_exp, …_that_cannot_be_had, opened_… |
| down later: remembered keys | `test_presented_keys`: …_survives_a_short_outage_and_no_longer |
| slow: a deadline for all of an answer | here, below HTTP; `test_jwks_url`: a_slow_issuer_is_given_up; `test_async`: …_stops_nothing_else |
| garbage for keys, large, compressed, redirected: good keys stay | `test_jwks_url`: a_failed_refresh_keeps_the_keys; `advisories/test_jose_keys`; below HTTP here |
| garbage for metadata, lists, answers about keys | `test_discovery`, `test_statuses`: a_list_that_is_none, …_no_list; `test_presented_keys`: …_503_and_not_401; `test_fuzz`: any_answer_of_an_issuer |
| keys are rotated under load: nobody is refused | here, with the real server; `test_jwks_url`: a_new_key_under_load |
| a flood of random `kid`s | `advisories/test_jose_keys`: a_flood_of_unknown_kids_… |
| clocks that differ, both ways | here, for tokens, lists and keys; `test_verify`: leeway_…; `test_fuzz` |
| 10 MB of token | `test_bearer`: ten_megabytes_…; `advisories/test_jose_tokens`: oversized_…; here over HTTP |
| bombs: `crit`, `b64`, `zip`, JWE, deep JSON, repeated members | `advisories/test_jose_tokens` |
| bombs: a JWS in a JWS, numbers without end | here |
| issuers mixed up | `test_issuers`; `test_discovery`, `advisories`: metadata of another issuer |
| several audiences, several issuers | `test_issuers` |
| addresses that metadata names | here; `test_discovery` |
| 503 is not 401: in the library, and in every adapter | here; `test_presented_keys`; `test_adapters`: an_issuer_that_is_away |
"""  # noqa: E501 - a table

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import httpx
import jwt
import pytest
from flask import Flask
from sqlalchemy import update

from app.storage.models import SigningKeyRow
from keyturn import (
    DEFAULT_API_KEY,
    CredentialRefused,
    FixedKeys,
    VerificationKey,
    Verifier,
    VerifierUnavailable,
)
from keyturn.flask import register_refusals, require_scope
from tests.keyturn.support import (
    AUDIENCE,
    EC_KEY,
    NOW,
    START,
    FakeIssuer,
    Reply,
    claims,
    good_token,
    header,
    jwk,
    jws,
)
from tests.support.faulty import FAULTS, running_faulty
from tests.support.served import eventually, free_port

KEY = DEFAULT_API_KEY.generate("live")
METADATA, JWKS, LIST, INTROSPECT = (
    FakeIssuer.METADATA, FakeIssuer.JWKS, FakeIssuer.LIST, FakeIssuer.INTROSPECT,
)  # fmt: skip


def bearer(issuer, **changes):
    return f"Bearer {good_token(iss=issuer.url, **changes)}"


def refusal(verifier, presented):
    """(status, reason) of a refusal; None where it is let in."""
    try:
        verifier.verify(presented)
    except CredentialRefused as refused:
        return refused.status, refused.reason
    return None


UNAVAILABLE = (503, "unavailable")


# The start, and readiness ---------------------------------------------------------------------


def test_who_does_not_start_without_its_issuer(verifier_of, issuer, time):
    """The choice is whether to ask."""
    issuer.down(METADATA)
    verifier = verifier_of()
    for _ in range(20):
        with pytest.raises(VerifierUnavailable) as why:
            verifier.require_ready()
    assert METADATA in why.value.detail
    assert issuer.hits[METADATA] == 1  # however often a load balancer asks
    issuer.up()
    time.advance(5)
    verifier.require_ready()
    assert refusal(verifier, bearer(issuer)) is None


def test_who_starts_degraded_heals_by_itself(verifier_of, issuer, time):
    issuer.down(JWKS)
    verifier = verifier_of()
    assert refusal(verifier, bearer(issuer)) == UNAVAILABLE
    issuer.up()
    time.advance(5)
    assert refusal(verifier, bearer(issuer)) is None


def test_nobody_listens():
    with Verifier(f"http://127.0.0.1:{free_port()}", AUDIENCE) as verifier:
        with pytest.raises(VerifierUnavailable):
            verifier.require_ready()
        assert refusal(verifier, "Bearer " + good_token()) == UNAVAILABLE
        assert refusal(verifier, "Bearer nonsense")[0] == 401


def test_readiness_outlives_the_issuer_as_long_as_tokens_can_be_verified(verifier_of, issuer, time):
    verifier = verifier_of()
    verifier.require_ready()
    issuer.down(JWKS)
    time.advance(300 + 3599)
    verifier.require_ready()  # by stale keys
    time.advance(1)
    with pytest.raises(VerifierUnavailable):
        verifier.require_ready()
    issuer.up()
    time.advance(5)
    verifier.require_ready()


@pytest.mark.parametrize("accept_unknown", [False, True])
def test_readiness_knows_of_lists(verifier_of, issuer, time, accept_unknown):
    verifier = verifier_of(accept_unknown_status=accept_unknown, status_interval=timedelta(hours=1))
    assert refusal(verifier, bearer(issuer, exp=NOW + 7200, status=issuer.place(7))) is None
    verifier.require_ready()
    issuer.down(LIST)
    time.advance(900)
    verifier.refresh()
    if accept_unknown:
        verifier.require_ready()
    else:
        with pytest.raises(VerifierUnavailable):
            verifier.require_ready()
    issuer.up()
    issuer.list_claims = {"exp": NOW + 7200}
    verifier.refresh()
    verifier.require_ready()


def test_one_list_that_is_not_to_be_had_is_no_reason_to_take_nobody(verifier_of, issuer):
    verifier = verifier_of(status_interval=timedelta(hours=1))
    assert refusal(verifier, bearer(issuer, status=issuer.place(7))) is None
    gone = {"status_list": {"idx": 1, "uri": issuer.url + "/gone"}}
    assert refusal(verifier, bearer(issuer, status=gone)) == UNAVAILABLE
    verifier.require_ready()


# Below HTTP -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
def test_an_issuer_that_is_faulty_below_http(verifier_of, issuer, fault):
    """Whatever it does, it is given up as a whole in the time that was set."""
    brief = {"timeout": timedelta(seconds=0.3)}
    at_hand = FixedKeys([VerificationKey.of("k1", EC_KEY.public_key())])
    with running_faulty() as faulty:
        faulty.script = FAULTS[fault]
        fresh = verifier_of(jwks_uri=faulty.url, **brief)
        assert refusal(fresh, bearer(issuer)) == UNAVAILABLE
        eventually(lambda: faulty.connections == 1)
        asking = verifier_of(introspection_endpoint=faulty.url, keys=at_hand, **brief)
        assert refusal(asking, f"Bearer {KEY}") == UNAVAILABLE
        named = {"status_list": {"idx": 1, "uri": f"{faulty.url}/list"}}
        assert refusal(asking, bearer(issuer, status=named)) == UNAVAILABLE
        assert refusal(asking, bearer(issuer)) is None


@pytest.mark.parametrize("fault", FAULTS)
def test_so_it_is_by_a_client_of_the_application_s_own(issuer, fault):
    with running_faulty() as faulty, httpx.Client() as own:
        faulty.script = FAULTS[fault]
        where = {"jwks_uri": faulty.url, "timeout": timedelta(seconds=0.3)}
        with closing(Verifier(issuer.url, AUDIENCE, http_client=own, **where)) as verifier:
            assert refusal(verifier, bearer(issuer)) == UNAVAILABLE


@pytest.mark.parametrize("fault", FAULTS)
def test_good_keys_stay_while_it_is(verifier_of, issuer, time, fault):
    good = bearer(issuer, exp=NOW + 7200)
    keys = json.dumps({"keys": [jwk(EC_KEY, "k1")]}).encode()
    with running_faulty() as faulty:
        faulty.script = lambda: [
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(keys), keys
        ]  # fmt: skip
        verifier = verifier_of(jwks_uri=faulty.url, timeout=timedelta(seconds=0.3))

        def verified():
            time.advance(5)  # and asks again, if that was too slow
            return refusal(verifier, good) is None

        eventually(verified)
        asked, faulty.script = faulty.connections, FAULTS[fault]
        time.advance(301)
        assert refusal(verifier, good) is None
        eventually(lambda: faulty.connections > asked)
        assert refusal(verifier, good) is None


# Rotation -------------------------------------------------------------------------------------


def test_keys_are_rotated_under_load_and_nobody_is_refused(installation, server, time):
    """Every token of the real server, from its first second on, while keys change twice."""
    api = "https://bookings.example"
    installation.resource(api, scopes=["bookings:*"])
    client = installation.client(["bookings:read"])
    ended, verified, refused = threading.Event(), {}, []

    def call(verifier):
        while not ended.is_set():
            token = server.token(client)
            if (found := refusal(verifier, f"Bearer {token}")) is not None:
                refused.append(found)
            kid = jwt.get_unverified_header(token)["kid"]
            verified[kid] = verified.get(kid, 0) + 1

    def rotated():
        with installation.desk.store.transaction(installation.operator) as work:
            # As if it had been published for five minutes.
            work.session.execute(
                update(SigningKeyRow)
                .where(SigningKeyRow.stage == "next")
                .values(created_at=work.now - timedelta(minutes=6))
            )
        time.advance(300)  # so the verifier's keys are due in the midst of it
        kid = installation.rotate_signing_key(force=False)
        eventually(lambda: verified.get(kid, 0) > 20, timeout=30)

    with (
        Verifier(server.url, api, monotonic=time.monotonic) as verifier,
        ThreadPoolExecutor(4) as pool,
    ):
        running = [pool.submit(call, verifier) for _ in range(4)]
        try:
            eventually(lambda: sum(verified.values()) > 20, timeout=30)
            rotated()
            rotated()
        finally:
            ended.set()
        for one in running:
            one.result()
    assert refused == []
    assert len(verified) == 3


# Clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "claimed", "expected"),
    [
        # Ours is ahead of the issuer's: a token seems older than it is.
        (9, {"exp": NOW}, None),
        (10, {"exp": NOW}, (401, "expired")),
        # Ours is behind: a token seems to come from the future.
        (-10, {"nbf": NOW}, None),
        (-11, {"nbf": NOW}, (401, "not_yet_valid")),
        # When it was issued is not what it lives by.
        (-3600, {"exp": NOW + 900}, None),
    ],
)
def test_clocks_that_differ(verifier_of, issuer, time, ahead, claimed, expected):
    verifier = verifier_of(clock=lambda: START + timedelta(seconds=ahead))
    assert refusal(verifier, bearer(issuer, **claimed)) == expected


def test_a_clock_that_is_far_ahead_takes_no_list_for_a_new_one(verifier_of, issuer):
    """It refuses by 503, as nobody can say what is revoked; never by 401."""
    verifier = verifier_of(
        clock=lambda: START + timedelta(hours=2), status_interval=timedelta(hours=1)
    )
    long = bearer(issuer, exp=NOW + 9000, status=issuer.place(7))
    assert refusal(verifier, long) == UNAVAILABLE


# Tokens ---------------------------------------------------------------------------------------


HUGE = ["1" * 4301, "1e400", "-1e400", "1e308", str(2**63), str(-(2**63)), "0.1e1000", "NaN"]


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("number", HUGE, ids=lambda number: number[:8])
def test_numbers_without_end(verifier_of, issuer, claim, number):
    """Signed by the issuer itself: an answer, never another exception."""
    members = json.dumps(claims(iss=issuer.url, **{claim: 0}))
    presented = jws(header(), members.replace(f'"{claim}": 0', f'"{claim}": {number}').encode())
    found = refusal(verifier_of(), f"Bearer {presented}")
    assert found is None or (found[0] == 401 and found[1] != "unavailable")
    if number in ("NaN", "1e400", "-1e400", "1" * 4301):
        assert found == (401, "malformed")


def test_a_token_in_a_token(verifier_of, issuer):
    """Signed once more by the issuer, as a nested JWT (RFC 7519 §5.2)."""
    inner = good_token(iss=issuer.url)
    for head in (header(cty="JWT"), header(), header(typ="JWT", cty="at+jwt")):
        found = refusal(verifier_of(), f"Bearer {jws(head, inner.encode())}")
        assert found in ((401, "malformed"), (401, "wrong_type"))
    inside = jws(header(), claims(iss=issuer.url, sub=inner, client_id="c" * 8_000))
    assert refusal(verifier_of(), f"Bearer {inside}") is None  # text like any other


# Addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["jwks_uri", "introspection_endpoint", "token_endpoint"])
@pytest.mark.parametrize(
    "address",
    ["http://auth.example.com/x", "file:///etc/passwd", "https://u:p@auth.example.com", "ftp://a"],
)
def test_no_address_of_metadata_is_asked_without_tls(verifier_of, issuer, named, address):
    """One rule for all of them: https, or http on this machine."""
    issuer.instead[METADATA] = Reply(body=json.dumps(issuer.metadata() | {named: address}).encode())
    issuer.knows(KEY)
    verifier = verifier_of()
    assert refusal(verifier, bearer(issuer)) == UNAVAILABLE
    assert refusal(verifier, f"Bearer {KEY}") == UNAVAILABLE
    assert issuer.hits[JWKS] == issuer.hits[INTROSPECT] == 0


# 503 is not 401 -------------------------------------------------------------------------------


@pytest.mark.parametrize("down", [METADATA, JWKS, LIST, INTROSPECT])
def test_over_http_it_is_503_and_asks_for_no_other_credential(verifier_of, issuer, down):
    issuer.down(down)
    api = Flask("bookings")
    register_refusals(api)
    with Verifier(issuer.url, AUDIENCE, "api_1", "s", clock=lambda: START) as verifier:

        @api.get("/bookings")
        @require_scope(verifier, "bookings:read")
        def bookings():
            return "bookings"

        shown = f"Bearer {KEY}" if down == INTROSPECT else bearer(issuer, status=issuer.place(7))
        answer = api.test_client().get("/bookings", headers={"Authorization": shown})
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert "WWW-Authenticate" not in answer.headers
        for wrong in ("Bearer " + "x" * 10_000_000, "Bearer kt_live_x", "Basic eDp5"):
            answer = api.test_client().get("/bookings", headers={"Authorization": wrong})
            assert answer.status_code == 401
            assert "WWW-Authenticate" in answer.headers
