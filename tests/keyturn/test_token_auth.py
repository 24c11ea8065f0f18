"""Tokens in the requests of httpx and requests: put in, replaced once, never looped."""

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import requests

from keyturn.client import TokenRefused, TokenSource
from keyturn.client.httpx import TokenAuth as HttpxAuth
from keyturn.client.requests import TokenAuth as RequestsAuth
from tests.keyturn.support import FakeIssuer, Reply

TOKEN, API = FakeIssuer.TOKEN, FakeIssuer.API


@pytest.fixture
def source(issuer, time):
    made = TokenSource(issuer.url, "desk", "kts_live_x", monotonic=time.monotonic)
    yield made
    made.close()


def by_httpx(source, url, body=None, **wanted):
    with httpx.Client(auth=HttpxAuth(source, **wanted), follow_redirects=True) as client:
        return client.post(url, content=body)


def by_httpx_async(source, url, body=None, **wanted):
    async def sent():
        auth = HttpxAuth(source, **wanted)
        async with httpx.AsyncClient(auth=auth, follow_redirects=True) as client:
            return await client.post(url, content=body)

    return asyncio.run(sent())


def by_requests(source, url, body=None, **wanted):
    with requests.Session() as session:
        return session.post(url, data=body, auth=RequestsAuth(source, **wanted))


CLIENTS = pytest.mark.parametrize("post", [by_httpx, by_httpx_async, by_requests])


@CLIENTS
def test_a_request_carries_the_token(issuer, source, post):
    for _ in range(2):
        answer = post(source, issuer.url + API, b"x")
        assert (answer.status_code, answer.text) == (200, "token_1")
    assert post(source, issuer.url + API, b"x", scope="rooms:read").text == "token_2"
    assert issuer.hits[TOKEN] == 2


@CLIENTS
def test_a_refused_token_is_replaced_once(issuer, source, post):
    source.token()
    issuer.refused.add("token_1")
    answer = post(source, issuer.url + API, b"the body")
    assert (answer.status_code, answer.text) == (200, "token_2")
    assert (issuer.hits[API], issuer.hits[TOKEN]) == (2, 2)
    assert [one.status_code for one in answer.history] == [401]


@CLIENTS
def test_an_api_that_refuses_every_token_does_not_cost_one_each(issuer, source, time, post):
    issuer.instead[API] = Reply(401)
    for _ in range(5):
        assert post(source, issuer.url + API, b"x").status_code == 401
    assert (issuer.hits[API], issuer.hits[TOKEN]) == (6, 2)
    time.advance(5)
    assert post(source, issuer.url + API, b"x").status_code == 401
    assert (issuer.hits[API], issuer.hits[TOKEN]) == (8, 3)


@CLIENTS
def test_a_401_stands_when_there_is_no_other_token(issuer, source, post):
    source.token()
    issuer.refused.add("token_1")
    issuer.down(TOKEN)
    assert post(source, issuer.url + API, b"x").status_code == 401


@CLIENTS
def test_no_token_no_request(issuer, source, post):
    issuer.instead[TOKEN] = Reply(401, b'{"error": "invalid_client"}')
    with pytest.raises(TokenRefused):
        post(source, issuer.url + API, b"x")
    assert issuer.hits[API] == 0


@CLIENTS
def test_a_403_is_not_about_the_token(issuer, source, post):
    issuer.instead[API] = Reply(403)
    assert post(source, issuer.url + API, b"x").status_code == 403
    assert (issuer.hits[API], issuer.hits[TOKEN]) == (1, 1)


@CLIENTS
def test_a_stranger_behind_a_redirect_sees_no_token_and_costs_none(issuer, source, post):
    elsewhere = issuer.url.replace("127.0.0.1", "localhost")
    issuer.instead[API] = Reply(307, b"", {"Location": elsewhere + "/other"})
    issuer.instead["/other"] = Reply(401)
    assert post(source, issuer.url + API, b"x").status_code == 401
    assert "authorization" not in issuer.seen_headers[-1]
    assert (issuer.hits["/other"], issuer.hits[TOKEN]) == (1, 1)
    assert source.token() == "token_1"


def test_a_body_that_is_gone_is_not_sent_again(issuer, source):
    source.token()
    issuer.refused.add("token_1")
    answer = by_requests(source, issuer.url + API, io.BytesIO(b"once"))
    assert (answer.status_code, issuer.hits[API]) == (401, 1)
    assert source.token() == "token_2"
    issuer.refused.add("token_2")
    with httpx.Client(auth=HttpxAuth(source)) as client:
        body = httpx.Request("POST", issuer.url + API, content=iter([b"once"]))
        body.headers["Content-Length"] = "4"
        del body.headers["Transfer-Encoding"]
        answer = client.send(body)
    assert (answer.status_code, issuer.hits[API]) == (401, 2)


def test_a_late_refusal_does_not_hit_the_new_token(issuer, source):
    source.token()
    issuer.refused.add("token_1")
    assert source.drop("token_1")
    assert source.token() == "token_2"
    assert source.drop("token_1")  # another may be had: it is there already
    assert source.token() == "token_2"
    assert issuer.hits[TOKEN] == 2


def test_threads_whose_token_is_refused_together_ask_once(issuer, source):
    source.token()
    issuer.refused.add("token_1")
    ready = threading.Barrier(12)

    def sent(_):
        with httpx.Client(auth=HttpxAuth(source)) as client:
            ready.wait()
            return client.get(issuer.url + API).text

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(sent, range(12))) == {"token_2"}
    assert issuer.hits[TOKEN] == 2
