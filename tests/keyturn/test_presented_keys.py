"""API keys in the header: asked about, remembered, and what holds when the issuer cannot say."""

import base64
from datetime import timedelta

import pytest

from keyturn import (
    BASE36,
    DEFAULT_CLIENT_SECRET,
    InvalidToken,
    KeyTemplate,
    RestrictionRefused,
    VerifierUnavailable,
)
from tests.keyturn.presented import KEY, TEST_KEY, reason_of
from tests.keyturn.support import (
    AUDIENCE,
    NOW,
    START,
    FakeIssuer,
    Reply,
)

INTROSPECT = FakeIssuer.INTROSPECT


@pytest.mark.row("S0-1")
def test_a_key_becomes_a_principal(issuer, verifier_of):
    issuer.knows(KEY, exp=NOW + 60, anything="more")
    principal = verifier_of().verify(f"Bearer {KEY}")
    assert (principal.kind, principal.id, principal.client_id) == ("api_key", "key_1", "key_1")
    assert (principal.organization, principal.environment) == ("org_1", "live")
    assert (str(principal.scopes), principal.audience) == ("bookings:read", (AUDIENCE,))
    assert principal.expires_at == START + timedelta(seconds=60)
    assert principal.claims["anything"] == "more"
    assert KEY not in repr(principal) + str(principal.claims)


@pytest.mark.rfc("7662", "2.1")
def test_how_the_issuer_is_asked(issuer, verifier_of):
    issuer.knows(KEY)
    verifier_of(client_id="api 1:%", client_secret="s+/=é").verify(f"Bearer {KEY}")
    [(authorization, form)] = issuer.asked
    scheme, _, pair = authorization.partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(pair) == b"api%201%3A%25:s%2B%2F%3D%C3%A9"
    assert form == {"token": [KEY], "include_reason": ["true"]}


@pytest.mark.row("S2-6")
def test_what_can_be_refused_offline_is(issuer, verifier_of):
    verifier = verifier_of(environment="live")
    slip = KEY[:-1] + ("a" if KEY[-1] != "a" else "b")
    cases = {
        slip: "bad_checksum",
        KEY[:20] + ("a" if KEY[20] != "a" else "b") + KEY[21:]: "bad_checksum",
        KEY[:-7]: "malformed",
        KEY.replace("_live_", "_prod_"): "malformed",
        TEST_KEY: "environment_mismatch",
        DEFAULT_CLIENT_SECRET.generate("live"): "malformed",
        "abcdef1234567890": "malformed",
        "a.b": "malformed",
        "a.b.c.d.e": "malformed",
    }
    for key, reason in cases.items():
        assert reason_of(verifier, f"Bearer {key}") == reason
    assert not issuer.hits


def test_all_key_failures_look_the_same(issuer, verifier_of):
    issuer.knows(TEST_KEY, env="live")
    seen = set()
    for key in (KEY, TEST_KEY, KEY[:-1], "junk"):
        with pytest.raises(InvalidToken) as refused:
            verifier_of().verify(f"Bearer {key}")
        error = refused.value
        seen.add((error.status, error.code, str(error), error.challenge))
        assert key not in error.detail
    assert len(seen) == 1


def test_an_unknown_key_is_refused_and_asked_about_once(issuer, verifier_of, time):
    verifier = verifier_of()
    for _ in range(5):
        assert reason_of(verifier, f"Bearer {KEY}") == "inactive"
    assert issuer.hits[INTROSPECT] == 1
    issuer.knows(KEY)  # created meanwhile
    time.advance(5)
    assert verifier.verify(f"Bearer {KEY}")


@pytest.mark.row("C-14")
def test_a_revoked_key_fails_within_the_staleness(issuer, verifier_of, time):
    verifier = verifier_of(max_staleness=timedelta(seconds=15))
    issuer.knows(KEY)
    assert verifier.verify(f"Bearer {KEY}")
    issuer.known.clear()
    time.advance(14)
    assert verifier.verify(f"Bearer {KEY}")
    assert issuer.hits[INTROSPECT] == 1
    time.advance(1)
    assert reason_of(verifier, f"Bearer {KEY}") == "inactive"


@pytest.mark.row("S2-7")
def test_a_key_expires_while_it_is_remembered(issuer, verifier_of, time):
    verifier = verifier_of()
    issuer.knows(KEY, exp=NOW + 5)
    time.advance(4)
    assert verifier.verify(f"Bearer {KEY}")
    time.advance(1)
    assert reason_of(verifier, f"Bearer {KEY}") == "expired"
    assert issuer.hits[INTROSPECT] == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://evil.example"}, "wrong_issuer"),
        ({"aud": "https://other.example"}, "wrong_audience"),
        ({"aud": ["https://other.example"]}, "wrong_audience"),
        ({"nbf": NOW + 1}, "not_yet_valid"),
        ({"exp": NOW}, "expired"),
        ({"env": "test"}, "environment_mismatch"),
        ({"env": None}, "environment_mismatch"),
        ({"cnf": {"jkt": "x"}}, "proof_required"),
    ],
    ids=str,
)
def test_what_the_issuer_says_is_checked(issuer, verifier_of, changes, reason):
    issuer.knows(KEY, **changes)
    assert reason_of(verifier_of(), f"Bearer {KEY}") == reason


def test_a_lean_answer_will_do(issuer, verifier_of):
    # RFC 7662 §2.2 requires "active" alone; we need to know whose key it is.
    issuer.known[KEY] = {"active": True, "client_id": "key_1", "env": "live"}
    principal = verifier_of().verify(f"Bearer {KEY}")
    assert (principal.id, len(principal.scopes), principal.expires_at) == ("key_1", 0, None)


def test_null_is_absence_in_an_answer(issuer, verifier_of):
    key = KeyTemplate(prefix="sk_rsv", environments=()).generate()
    nothing = dict.fromkeys(("env", "exp", "org", "nbf", "allowed_ips", "allowed_domains", "cnf"))
    issuer.known[key] = {"active": True, "client_id": "key_1", "scope": "a"} | nothing
    verifier = verifier_of(key_templates=[KeyTemplate(prefix="sk_rsv", environments=())])
    principal = verifier.verify(f"Bearer {key}")
    assert (principal.environment, principal.expires_at) == (None, None)


def test_a_publishable_key_is_for_browsers(issuer, verifier_of):
    verifier = verifier_of(allow_missing_origin=True)
    issuer.knows(KEY, allowed_domains=["a.example"], kind="publishable")
    assert reason_of(verifier, f"Bearer {KEY}") == "origin_mismatch"
    assert verifier.verify(f"Bearer {KEY}", origin="https://a.example")


@pytest.mark.row("S1-13")
@pytest.mark.row("S1-24")
def test_restrictions_hold_where_the_request_is_seen(issuer, verifier_of):
    issuer.knows(KEY, allowed_ips=["192.0.2.0/24"], allowed_domains=["a.example"])
    verifier = verifier_of()
    good = {"ip": "192.0.2.1", "origin": "https://a.example"}
    assert verifier.verify(f"Bearer {KEY}", **good)
    for seen, reason in (
        ({"ip": "198.51.100.1"}, "ip_not_allowed"),
        ({"ip": None}, "ip_not_allowed"),
        ({"origin": "https://b.example"}, "origin_mismatch"),
        ({"origin": None}, "origin_mismatch"),
    ):
        with pytest.raises(RestrictionRefused) as refused:
            verifier.verify(f"Bearer {KEY}", **good | seen)
        assert (refused.value.status, refused.value.code) == (403, reason)
    assert verifier_of(allow_missing_origin=True).verify(f"Bearer {KEY}", **good | {"origin": None})


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500), Reply(404), Reply(302, b"", {"Location": "/x"}),
        Reply(200, b""), Reply(200, b"[]"),
        Reply(200, b"{}"), Reply(200, b'{"active": "true"}'), Reply(200, b'{"active": 1}'),
        Reply(200, b'{"active": false, "active": true, "client_id": "x"}'),
        Reply(200, b'{"active": true}'), Reply(200, b'{"active": true, "client_id": 7}'),
        Reply(200, b'{"active": true, "client_id": "k", "scope": ["a"]}'),
        Reply(200, b'{"active": true, "client_id": "k", "scope": "a  b"}'),
        Reply(200, b'{"active": true, "client_id": "k", "exp": "soon"}'),
        Reply(200, b'{"active": true, "client_id": "k", "allowed_ips": {}}'),
        Reply(200, b" " * 300_000 + b'{"active": true, "client_id": "k"}'),
        Reply(429, b"", {"Retry-After": "17"}),
        Reply(401, b'{"error": "invalid_client"}'), Reply(403, b'{"error": "insufficient_scope"}'),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:40]!r}",
)  # fmt: skip
def test_when_the_issuer_cannot_say_it_is_503_and_not_401(issuer, verifier_of, time, reply):
    verifier = verifier_of()
    issuer.instead[INTROSPECT] = reply
    with pytest.raises(VerifierUnavailable) as refused:
        verifier.verify(f"Bearer {KEY}")
    assert (refused.value.status, refused.value.code) == (503, "unavailable")
    assert refused.value.challenge is None
    assert refused.value.retry_after == (17 if reply.status == 429 else 5)
    assert KEY not in refused.value.detail
    assert ("client_secret" in refused.value.detail) is (reply.status in (401, 403))
    issuer.up()
    issuer.knows(KEY)
    assert verifier.verify(f"Bearer {KEY}")  # a failure is not remembered


@pytest.mark.parametrize(
    ("told", "wait"),
    [
        ("17", 17), ("0", 0), ("", 5), ("soon", 5), ("-1", 5), ("99999999999", 300),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("Fri, 31 Dec 2999 23:59:59 GMT", 300),
    ],
)  # fmt: skip
def test_what_the_issuer_says_of_when_to_come_again(issuer, verifier_of, told, wait):
    issuer.instead[INTROSPECT] = Reply(503, b"", {"Retry-After": told})
    with pytest.raises(VerifierUnavailable) as refused:
        verifier_of().verify(f"Bearer {KEY}")
    assert refused.value.retry_after == wait


def test_a_remembered_key_survives_a_short_outage_and_no_longer(issuer, verifier_of, time):
    verifier = verifier_of()
    issuer.knows(KEY)
    assert verifier.verify(f"Bearer {KEY}")
    issuer.down(INTROSPECT)
    time.advance(14.9)
    assert verifier.verify(f"Bearer {KEY}")
    time.advance(0.1)
    assert reason_of(verifier, f"Bearer {KEY}") == "unavailable"


def test_without_a_client_keys_are_refused_and_tokens_are_not(issuer, verifier_of):
    verifier = verifier_of(client_id=None, client_secret=None)
    assert reason_of(verifier, f"Bearer {KEY}") == "wrong_type"
    assert issuer.hits[INTROSPECT] == 0


@pytest.mark.row("C-4")
def test_other_forms_of_key(issuer, verifier_of):
    reservekit = KeyTemplate(prefix="sk_rsv", environments=())
    short = KeyTemplate(prefix="sk", environments=(), alphabet=BASE36, checksum_length=4)
    verifier = verifier_of(key_templates=[short, reservekit])
    for template in (reservekit, short):
        key = template.generate()
        issuer.knows(key)
        assert verifier.verify(f"Bearer {key}")
    assert reason_of(verifier, f"Bearer {KEY}") == "malformed"


@pytest.mark.row("S4-3")
def test_opaque_keys(issuer, verifier_of):
    verifier = verifier_of(key_templates=())
    issuer.knows("abcdef1234567890")
    assert verifier.verify("Bearer abcdef1234567890")
    assert reason_of(verifier, "Bearer unknown") == "inactive"
    assert reason_of(verifier, "Bearer " + "a" * 513) == "too_large"
    assert issuer.hits[INTROSPECT] == 2


def test_real_connections_are_kept_and_closed(issuer, verifier_of):
    verifier = verifier_of()
    issuer.knows(KEY)
    assert verifier.verify(f"Bearer {KEY}")
    verifier.close()
    issuer.knows(TEST_KEY, env="test")
    assert verifier.verify(f"Bearer {TEST_KEY}")  # and opened again when needed
