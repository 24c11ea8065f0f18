"""Revocation without asking: what status lists say, how fresh they are, and bad days."""

import base64
import json
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from keyturn import CredentialRefused, KeyTemplate
from keyturn import statuses as module
from keyturn.status_list import MAX_STATUSES, StatusList
from keyturn.wire import Unreadable
from tests.keyturn.listed import LIST, REVOKED, made_for, refused, token
from tests.keyturn.support import (
    ES256,
    NOW,
    OTHER_EC_KEY,
    FakeIssuer,
    Reply,
    b64,
    compressed,
    good_token,
    header,
    jwk,
    jws,
)
from tests.support.served import eventually

KEY = KeyTemplate().generate("live")


@pytest.fixture
def verifier(issuer, time):
    """Looks when told to, not by itself: its thread comes round once an hour."""
    made = made_for(issuer, time)
    yield made
    made.close()


UNKNOWN = ("unavailable", 503)
DISABLED = ("disabled", 401)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0, None), (1, REVOKED), (2, DISABLED), (3, ("inactive", 401))],
)
def test_what_a_place_says(issuer, verifier, status, expected):
    issuer.statuses = {7: status, 6: 1, 8: 2}
    for _ in range(2):
        assert refused(verifier, token(issuer)) == expected
    assert issuer.hits[LIST] == 1


def test_a_token_is_stopped_and_let_in_again(issuer, verifier):
    presented = token(issuer)
    for statuses, expected in (({}, None), ({7: 2}, DISABLED), ({}, None), ({7: 1}, REVOKED)):
        issuer.statuses = statuses
        verifier._statuses.refresh()
        assert refused(verifier, presented) == expected


def test_one_token_of_many_is_revoked(issuer, verifier):
    issuer.revoked = ["token_2"]
    assert refused(verifier, token(issuer, jti="token_2")) == REVOKED
    assert refused(verifier, token(issuer, jti="token_1")) is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, None),
        ({}, None),
        ({"another_mechanism": {"x": 1}}, None),
        ({"status_list": {"idx": 4000, "uri": "{}"}}, ("malformed", 401)),
        ({"status_list": {"idx": -1, "uri": "{}"}}, ("malformed", 401)),
        ({"status_list": {"idx": "7", "uri": "{}"}}, ("malformed", 401)),
        ({"status_list": {"idx": True, "uri": "{}"}}, ("malformed", 401)),
        ({"status_list": {"idx": 7}}, ("malformed", 401)),
        ({"status_list": [7, "{}"]}, ("malformed", 401)),
        ({"status_list": {"idx": 7, "uri": "http://list.example/1"}}, UNKNOWN),
        ({"status_list": {"idx": 7, "uri": "file:///etc/passwd"}}, UNKNOWN),
    ],
)
def test_how_a_token_names_its_place(issuer, verifier, status, expected):
    """§6.2, and tokens that name none: those of other issuers pass as ever."""
    text = json.dumps(status).replace("{}", issuer.url + LIST) if status else "null"
    presented = "Bearer " + good_token(iss=issuer.url, status=json.loads(text))
    assert refused(verifier, presented) == expected


def test_what_is_refused_anyway_makes_nobody_fetch(issuer, verifier):
    """§8.3: the token itself first."""
    for changes in ({"exp": NOW - 60}, {"aud": "https://other.example"}, {"cnf": {"jkt": "x"}}):
        assert refused(verifier, token(issuer, **changes))[1] == 401
    assert issuer.hits[LIST] == 0


# What is no list of this issuer ---------------------------------------------------------------


def _bomb():
    return b64(zlib.compress(bytes(MAX_STATUSES + 1), 9))


FAULTS = {
    "another subject": {"sub": "https://other.example/1"},
    "no subject": {"sub": None},
    "another issuer": {"iss": "https://other.example"},
    "expired": {"exp": NOW},
    "no iat": {"iat": None},
    "no list": {"status_list": None},
    "three bits": {"status_list": {"bits": 3, "lst": b64(zlib.compress(b"\0"))}},
    "no zlib": {"status_list": {"bits": 2, "lst": b64(b"\0\0\0\0")}},
    "half a list": {"status_list": {"bits": 2, "lst": b64(zlib.compress(bytes(999))[:-5])}},
    "more behind it": {"status_list": {"bits": 2, "lst": b64(zlib.compress(bytes(9)) + b"x")}},
    "a bomb": {"status_list": {"bits": 2, "lst": _bomb()}},
    "odd revocations": {"revoked_jtis": [1]},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_list_that_is_none(issuer, verifier, fault):
    issuer.list_claims = FAULTS[fault]
    assert refused(verifier, token(issuer)) == UNKNOWN
    issuer.list_claims = {}
    verifier._statuses.refresh()
    assert refused(verifier, token(issuer)) is None


def _signed_by_a_stranger(issuer):
    return jws(
        header(typ="statuslist+jwt"),
        {"sub": issuer.url + LIST},
        lambda signed: ES256.sign(signed, OTHER_EC_KEY),
    )


BODIES = {
    "an access token": lambda issuer: good_token(iss=issuer.url, sub=issuer.url + LIST),
    "another type": lambda issuer: issuer.status_list({"typ": "JWT"}),
    "an unknown key": lambda issuer: issuer.status_list({"kid": "k9"}),
    "no algorithm": lambda issuer: issuer.status_list({"alg": "none"}),
    "a stranger's signature": _signed_by_a_stranger,
    "nothing": lambda issuer: "",
    "a page": lambda issuer: "<html>",
    "no ASCII": lambda issuer: "é.é.é",
    "ten megabytes": lambda issuer: "x" * 10_000_000,
}


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_no_list(issuer, verifier, body):
    issuer.instead[LIST] = Reply(body=BODIES[body](issuer).encode())
    assert refused(verifier, token(issuer)) == UNKNOWN


def test_a_list_as_gzip(issuer, verifier):
    issuer.statuses = {7: 1}
    issuer.instead[LIST] = compressed(issuer.status_list().encode())
    assert refused(verifier, token(issuer)) == REVOKED
    assert "gzip" in [seen.get("accept-encoding") for seen in issuer.seen_headers]


def _broken_off(packed):
    return Reply(body=packed.body[:-9], headers=packed.headers)


@pytest.mark.parametrize(
    "reply",
    [
        compressed(b" " * 100_000_000),
        _broken_off(compressed(b"x" * 1000)),
        Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"}),
        Reply(body=b"", headers={"Content-Encoding": "gzip"}),
        Reply(body=compressed(b"").body, headers={"Content-Encoding": "br"}),
    ],
    ids=["a bomb", "broken off", "no gzip", "nothing", "another coding"],
)
def test_gzip_that_is_none(issuer, verifier, reply):
    issuer.instead[LIST] = reply
    assert refused(verifier, token(issuer)) == UNKNOWN


def test_a_list_is_no_token(issuer, verifier):
    assert refused(verifier, "Bearer " + issuer.status_list()) == ("wrong_type", 401)


# Bad days -------------------------------------------------------------------------------------


def test_the_list_is_served_stale_and_no_longer_than_its_exp(issuer, verifier, time):
    presented = token(issuer, exp=NOW + 7200)
    assert refused(verifier, presented) is None
    issuer.down(LIST)
    for passed, expected in ((899, None), (1, UNKNOWN), (60, UNKNOWN)):
        time.advance(passed)
        verifier._statuses.refresh()
        assert refused(verifier, presented) == expected
    issuer.up()
    issuer.list_claims = {"exp": NOW + 7200}
    verifier._statuses.refresh()
    assert refused(verifier, presented) is None


@pytest.mark.parametrize("reply", [Reply(503), Reply(404), Reply(302, headers={"Location": "/x"})])
def test_a_list_that_cannot_be_had(issuer, time, reply):
    issuer.instead[LIST] = reply
    closed, opened = (made_for(issuer, time, accept_unknown_status=one) for one in (False, True))
    for _ in range(3):
        assert refused(closed, token(issuer)) == UNKNOWN
        assert refused(opened, token(issuer)) is None
    assert issuer.hits[LIST] == 2  # one each: from then on the thread asks
    closed.close()
    opened.close()


def test_opened_it_still_goes_by_what_it_knows(issuer, time):
    verifier = made_for(issuer, time, accept_unknown_status=True)
    issuer.statuses = {7: 1}
    assert refused(verifier, token(issuer)) == REVOKED
    issuer.down(LIST)
    verifier._statuses.refresh()
    assert refused(verifier, token(issuer)) == REVOKED
    verifier.close()


def test_many_first_tokens_fetch_once(issuer, verifier):
    issuer.instead[LIST] = Reply(body=issuer.status_list().encode(), gate=threading.Event())
    refused(verifier, token(issuer, exp=NOW - 60))  # the keys are there
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(refused, verifier, token(issuer, jti=f"t{n}")) for n in range(8)]
        eventually(lambda: issuer.hits[LIST])
        issuer.instead[LIST].gate.set()
        assert [one.result() for one in asked] == [None] * 8
    assert issuer.hits[LIST] == 1


def test_a_node_that_lags_behind_is_passed_over_for_a_minute(issuer, verifier, time):
    issuer.statuses, issuer.list_claims = {7: 1}, {"version": 5}
    assert refused(verifier, token(issuer)) == REVOKED
    issuer.statuses, issuer.list_claims = {}, {"version": 4}
    verifier._statuses.refresh()
    assert refused(verifier, token(issuer)) == REVOKED
    time.advance(module.BEHIND)  # it was restored from a backup, and does say less
    verifier._statuses.refresh()
    assert refused(verifier, token(issuer)) is None


# API keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "expected"), [(1, REVOKED), (2, DISABLED)])
def test_a_remembered_key_is_let_go_at_once(issuer, verifier, time, status, expected):
    issuer.knows(KEY, status=issuer.place(9))
    assert refused(verifier, f"Bearer {KEY}") is None
    verifier._statuses.refresh()
    assert refused(verifier, f"Bearer {KEY}") is None
    assert issuer.hits[FakeIssuer.INTROSPECT] == 1
    time.advance(1)
    issuer.statuses = {9: status}
    issuer.known.clear()
    verifier._statuses.refresh()
    assert refused(verifier, f"Bearer {KEY}") == expected
    assert issuer.hits[FakeIssuer.INTROSPECT] == 1
    assert refused(verifier, f"Bearer {KEY}") == ("inactive", 401)  # the issuer is asked again


def test_what_the_issuer_says_later_than_its_list_counts(issuer, verifier, time):
    """A key that was enabled again is let in, though the list here is older."""
    issuer.knows(KEY, status=issuer.place(9))
    issuer.statuses = {9: 2}
    assert refused(verifier, f"Bearer {KEY}") is None
    verifier._statuses.refresh()
    time.advance(1)
    assert refused(verifier, f"Bearer {KEY}") == DISABLED
    assert refused(verifier, f"Bearer {KEY}") is None
    assert refused(verifier, f"Bearer {KEY}") is None


def test_no_list_stops_no_key(issuer, verifier):
    """The issuer itself has just said that it is good."""
    issuer.down(LIST)
    issuer.knows(KEY, status=issuer.place(9))
    for _ in range(3):
        assert refused(verifier, f"Bearer {KEY}") is None
        verifier._statuses.refresh()


# Results --------------------------------------------------------------------------------------


def test_the_same_token_again_is_the_same_answer_for_as_long_as_it_lives(issuer, verifier, time):
    presented = token(issuer)
    first = verifier.verify(presented)
    assert verifier.verify(presented) is first
    time.advance(899)
    assert verifier.verify(presented) is first
    time.advance(1)  # beyond its exp nothing is remembered, within the leeway or not
    issuer.list_claims = {"exp": NOW + 7200}
    verifier._statuses.refresh()
    assert verifier.verify(presented) is not first
    time.advance(10)
    assert refused(verifier, presented) == ("expired", 401)


def test_a_remembered_token_ends_with_its_key(issuer, verifier, time):
    presented = token(issuer)
    assert refused(verifier, presented) is None
    issuer.keys, issuer.jwks_headers = [jwk(OTHER_EC_KEY, "k2")], {}
    time.advance(301)
    assert refused(verifier, presented) == ("unknown_key", 401)


def test_what_is_remembered_cannot_be_changed_by_one_request(issuer, verifier):
    with pytest.raises(TypeError):
        verifier.verify(token(issuer)).claims["scope"] = "everything"


def test_a_remembered_token_still_needs_its_scope(issuer, verifier):
    presented = token(issuer)
    verifier.verify(presented)
    with pytest.raises(CredentialRefused) as error:
        verifier.verify(presented, required_scope="rooms:write")
    assert error.value.reason == "insufficient_scope"


@pytest.mark.parametrize("tampered", [lambda t: t[:-2] + "AA", lambda t: t.replace(".", ".e", 1)])
def test_no_other_text_is_the_same_token(issuer, verifier, tampered):
    presented = token(issuer)
    verifier.verify(presented)
    assert refused(verifier, tampered(presented))[1] == 401


def test_the_draft_s_own_examples():
    """§4.1 and Appendix C: bits are counted from the least significant one."""
    raw = bytes([0xC9, 0x44, 0xF9])
    lst = base64.urlsafe_b64encode(zlib.compress(raw)).rstrip(b"=").decode()
    members = {"sub": "u", "iat": 1, "status_list": {"bits": 2, "lst": lst}}
    found = StatusList.read(json.dumps(members).encode(), "u")
    assert [found.status_of(idx) for idx in range(13)] == [
        1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3, None,
    ]  # fmt: skip
    with pytest.raises(Unreadable):
        StatusList.read(json.dumps(members).encode(), "v")
