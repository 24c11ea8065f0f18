"""TokenSource: one request for many callers, renewed in time, and what a faulty server costs."""

import asyncio
import json
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from keyturn.client import TokenError, TokenRefused, TokenSource, TokenUnavailable
from keyturn.errors import InvalidScope
from tests.keyturn.support import CLIENT_SECRET, FakeIssuer, Reply
from tests.support.served import eventually

METADATA, OPENID, TOKEN = FakeIssuer.METADATA, FakeIssuer.OPENID, FakeIssuer.TOKEN


def json_reply(status=200, headers=None, **members):
    return Reply(status, json.dumps(members).encode(), headers or {})


@pytest.mark.rfc("6749", "4.4.2")
def test_a_token_is_asked_for_once(issuer, source_of):
    source = source_of(scope="rooms:write rooms:read", resource="https://api.example")
    assert [source.token(), source.token()] == ["token_1", "token_1"]
    [(authorization, form)] = issuer.token_requests
    assert authorization.startswith("Basic ")
    assert form == {
        "grant_type": ["client_credentials"],
        "scope": ["rooms:read rooms:write"],
        "resource": ["https://api.example"],
    }


@pytest.mark.rfc("8707", "2")
def test_each_scope_and_resource_has_a_token(issuer, source_of):
    source = source_of(scope="a")
    tokens = [
        source.token(),
        source.token(scope="a b"),
        source.token(resource=["https://y.example", "https://x.example"]),
        source.token(scope="b a"),
        source.token(scope="a", resource=()),
        source.token(resource=["https://x.example", "https://y.example"]),
    ]
    assert tokens == ["token_1", "token_2", "token_3", "token_2", "token_1", "token_3"]
    assert issuer.token_requests[2][1]["resource"] == ["https://x.example", "https://y.example"]
    with pytest.raises(InvalidScope):
        source.token(scope='a"b')


def test_clients_do_not_share_tokens(source_of):
    assert source_of().token() != source_of(client_id="office").token()


def test_audience_as_auth0_and_hydra_want_it(issuer, source_of):
    source_of(audience="https://api.example").token()
    assert issuer.token_requests[0][1]["audience"] == ["https://api.example"]


def test_many_threads_ask_once(issuer, source):
    issuer.instead[TOKEN] = json_reply(access_token="t", token_type="bearer", expires_in=60)
    gate = issuer.instead[TOKEN].gate = threading.Event()
    with ThreadPoolExecutor(32) as pool:
        waiting = [pool.submit(source.token) for _ in range(32)]
        assert eventually(lambda: issuer.hits[TOKEN])
        gate.set()
        assert {one.result() for one in waiting} == {"t"}
    assert issuer.hits[TOKEN] == 1


def test_many_tasks_and_threads_ask_once(issuer, source):
    gate = threading.Event()
    issuer.first[TOKEN] = [json_reply(access_token="t", token_type="Bearer", expires_in=60)]
    issuer.first[TOKEN][0].gate = gate

    async def together():
        tasks = [asyncio.create_task(source.token_async()) for _ in range(200)]
        while not issuer.hits[TOKEN]:
            await asyncio.sleep(0.01)
        tasks[0].cancel()  # who began it gives up: the others have their token all the same
        other = asyncio.create_task(asyncio.to_thread(source.token))
        gate.set()
        return await asyncio.gather(*tasks[1:], other)

    assert set(asyncio.run(together())) == {"t"}
    assert issuer.hits[TOKEN] == 1


def test_many_threads_share_one_failure(issuer, source):
    issuer.instead[TOKEN] = Reply(500, gate=threading.Event())
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(source.token) for _ in range(16)]
        assert eventually(lambda: issuer.hits[TOKEN])
        issuer.instead[TOKEN].gate.set()
        errors = [one.exception() for one in waiting]
    assert {type(error) for error in errors} == {TokenUnavailable}
    assert len({id(error) for error in errors}) == 16
    assert issuer.hits[TOKEN] == 1


@pytest.mark.parametrize("expires_in", [900, "900", 900.7])
def test_it_is_renewed_before_its_end_and_nobody_waits(issuer, source, time, expires_in):
    issuer.token_members["expires_in"] = expires_in
    assert source.token() == "token_1"
    time.advance(719)
    assert source.token() == "token_1"
    time.advance(1.9)  # 900 - 900 / 5, by this chance
    gate = threading.Event()
    late = json_reply(access_token="late", token_type="Bearer", expires_in=900)
    late.gate = gate
    issuer.first[TOKEN] = [late]
    assert [source.token() for _ in range(20)] == ["token_1"] * 20
    gate.set()
    assert eventually(lambda: source.token() == "late")
    assert issuer.hits[TOKEN] == 2


def test_processes_do_not_renew_at_the_same_time(issuer, source_of, time):
    sources = [source_of(chance=lambda at=at: at) for at in (0.0, 0.5, 1.0)]
    for source in sources:
        source.token()
    asked = []
    for _ in range(90):
        time.advance(9)
        for number, source in enumerate(sources):
            before = issuer.hits[TOKEN]
            old = source.token()
            if number not in asked and time.passed >= (810, 765, 720)[number]:
                assert eventually(lambda s=source, o=old: s.token() != o)
                asked.append(number)
            elif number not in asked:
                assert issuer.hits[TOKEN] == before
    assert asked == [2, 1, 0]


def test_a_token_that_is_over_is_not_given_out(issuer, source, time):
    source.token()
    time.advance(895)
    assert source.token() == "token_2"


def test_a_failed_renewal_keeps_what_is_good(issuer, source, time):
    source.token()
    issuer.down(TOKEN)
    time.advance(800)
    for _ in range(10):
        assert source.token() == "token_1"
    assert eventually(lambda: issuer.hits[TOKEN] == 2)
    time.advance(94)
    assert source.token() == "token_1"
    issuer.up()
    time.advance(5)
    assert eventually(lambda: source.token() != "token_1")


def test_a_server_that_does_not_say_for_how_long(issuer, source_of, time):
    del issuer.token_members["expires_in"]
    source = source_of(assumed_ttl=timedelta(seconds=100))
    assert source.token() == source.token() == "token_1"
    time.advance(96)
    assert source.token() == "token_2"


# A bad day ---------------------------------------------------------------------------------------

USELESS = {
    "500": Reply(500, b"oops"),
    "503": Reply(503, b""),
    "302": Reply(302, b"", {"Location": "https://evil.example/"}),
    "404": Reply(404, b"<html>"),
    "403 of a proxy": Reply(403, b"<html>"),
    "not JSON": Reply(200, b"<html>"),
    "a list": Reply(200, b"[]"),
    "repeated": Reply(200, b'{"access_token": "a", "access_token": "b", "token_type": "Bearer"}'),
    "no token": json_reply(token_type="Bearer"),
    "no type": json_reply(access_token="t"),
    "mac": json_reply(access_token="t", token_type="mac"),
    "over": json_reply(access_token="t", token_type="Bearer", expires_in=0),
    "negative": json_reply(access_token="t", token_type="Bearer", expires_in=-1),
    "no number": json_reply(access_token="t", token_type="Bearer", expires_in="soon"),
    "true": json_reply(access_token="t", token_type="Bearer", expires_in=True),
    "line break": json_reply(access_token="t\r\nX: y", token_type="Bearer"),
    "long": json_reply(access_token="t" * 20_000, token_type="Bearer"),
    "huge": Reply(200, b" " * 300_000),
}


@pytest.mark.parametrize("reply", USELESS.values(), ids=USELESS)
def test_a_useless_answer_is_no_token_and_costs_one_request(issuer, source, time, reply):
    issuer.instead[TOKEN] = reply
    for _ in range(5):
        with pytest.raises(TokenUnavailable) as failed:
            source.token()
        assert failed.value.retry_after == 5
        assert failed.value.detail
    assert issuer.hits[TOKEN] == 1
    issuer.up()
    time.advance(5)
    assert source.token() == "token_2"


def test_a_slow_server(issuer, source_of):
    issuer.instead[TOKEN] = Reply(drip=True)
    with pytest.raises(TokenUnavailable) as failed:
        source_of(timeout=timedelta(seconds=0.3)).token()
    assert "0.3 s" in failed.value.detail


def test_nobody_listens():
    source = TokenSource("http://127.0.0.1:1", "desk", CLIENT_SECRET)
    with pytest.raises(TokenUnavailable, match="does not issue tokens"):
        source.token()


def test_it_waits_as_long_as_it_is_told(issuer, source, slept):
    issuer.first[TOKEN] = [
        Reply(429, b"", {"Retry-After": "7"}),
        Reply(503, b"", {"Retry-After": "2"}),
    ]
    assert source.token() == "token_3"
    assert slept == [7, 2]


def test_it_does_not_ask_before_it_was_told_to(issuer, source, time, slept):
    issuer.instead[TOKEN] = Reply(429, b"", {"Retry-After": "120"})
    for left in (120, 119, 118):
        with pytest.raises(TokenUnavailable) as failed:
            source.token()
        assert failed.value.retry_after == left
        time.advance(1)
    assert (issuer.hits[TOKEN], slept) == (1, [])
    issuer.up()
    time.advance(117)
    assert source.token() == "token_2"


@pytest.mark.rfc("6749", "5.2")
@pytest.mark.parametrize(
    ("status", "error"), [(401, "invalid_client"), (400, "invalid_scope"), (403, "access_denied")]
)
def test_refusals_have_names(issuer, source, status, error):
    issuer.instead[TOKEN] = json_reply(status, error=error, error_description="Not so")
    for _ in range(3):
        with pytest.raises(TokenRefused) as refused:
            source.token()
    assert (refused.value.status, refused.value.error) == (status, error)
    assert str(refused.value) == f"{error}: Not so"
    assert issuer.hits[TOKEN] == 1


def test_no_secret_in_what_is_said(issuer, source, caplog):
    caplog.set_level("DEBUG")
    said = f"bad secret {CLIENT_SECRET}\r\n" + "x" * 5000
    issuer.instead[TOKEN] = json_reply(401, error="invalid_client", error_description=said)
    with pytest.raises(TokenRefused) as refused:
        source.token()
    assert len(refused.value.error_description) == 200
    assert "\n" not in str(refused.value)
    shown = [repr(source), repr(refused.value), str(refused.value), refused.value.detail]
    shown += [repr(source._server), caplog.text]
    assert not any(CLIENT_SECRET in one or CLIENT_SECRET[9:30] in one for one in shown)
    assert isinstance(pickle.loads(pickle.dumps(refused.value)), TokenError)


# Settings ----------------------------------------------------------------------------------------


def test_credentials_of_the_environment(issuer, source_of):
    environ = {"KEYTURN_CLIENT_ID": "of_env", "KEYTURN_CLIENT_SECRET": CLIENT_SECRET}
    source = source_of(client_id=None, client_secret=None, environ=environ)
    assert source.token() == "token_1"
    assert "of_env" in repr(source)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"issuer": None}, "issuer or token_endpoint"),
        ({"issuer": "http://auth.example.com"}, "issuer"),
        ({"token_endpoint": "ftp://a.example"}, "token_endpoint"),
        ({"client_id": None}, "KEYTURN_CLIENT_ID"),
        ({"client_secret": ""}, "client_id and a secret"),
        ({"auth_method": "none"}, "auth_method"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(source_of, changes, says):
    with pytest.raises(ValueError, match=says):
        source_of(**changes)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_fork_while_a_token_is_being_asked_for(issuer, source):
    issuer.instead[TOKEN] = json_reply(access_token="t", token_type="Bearer", expires_in=900)
    gate = issuer.instead[TOKEN].gate = threading.Event()
    parent = threading.Thread(target=source.token)
    parent.start()
    assert eventually(lambda: issuer.hits[TOKEN] == 1)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if source.token() == "t" else 1)
        finally:
            os._exit(2)
    assert eventually(lambda: issuer.hits[TOKEN] == 2)  # the child does not wait for our thread
    gate.set()
    parent.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert source.token() == "t"
    assert issuer.hits[TOKEN] == 2
