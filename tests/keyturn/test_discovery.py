"""Where the keys are, by the issuer's own word (RFC 8414), and which addresses are asked at all."""

import json
from datetime import timedelta

import httpx
import pytest

from keyturn import JwksUrl, VerifierUnavailable
from keyturn.asking import FetchFailed, require_safe_url
from keyturn.discovery import Discovery, metadata_url
from keyturn.fetch import Fetch
from tests.keyturn.support import FakeIssuer, Reply

METADATA, JWKS = FakeIssuer.METADATA, FakeIssuer.JWKS


@pytest.fixture
def fetch():
    made = Fetch(timedelta(seconds=5))
    yield made
    made.close()


@pytest.fixture
def keys(issuer, fetch, time):
    return JwksUrl.of_issuer(issuer.url, fetch=fetch, monotonic=time.monotonic)


@pytest.mark.rfc("8414", "3.1")
@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://a.example", "https://a.example/.well-known/oauth-authorization-server"),
        ("https://a.example/", "https://a.example/.well-known/oauth-authorization-server"),
        (
            "https://a.example:8443/t/1",
            "https://a.example:8443/.well-known/oauth-authorization-server/t/1",
        ),
    ],
)
def test_where_metadata_is(issuer, url):
    assert metadata_url(issuer) == url


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_metadata_of_openid_connect_where_there_is_no_other(issuer, keys, status):
    document = Reply(body=json.dumps(issuer.metadata()).encode())
    issuer.instead = {METADATA: Reply(status), FakeIssuer.OPENID: document}
    assert keys.get("k1")


def test_an_issuer_that_is_down_is_not_asked_for_another_document(issuer, keys):
    document = Reply(body=json.dumps(issuer.metadata()).encode())
    issuer.instead = {METADATA: Reply(503), FakeIssuer.OPENID: document}
    with pytest.raises(VerifierUnavailable):
        keys.get("k1")
    assert issuer.hits[FakeIssuer.OPENID] == 0


def test_an_issuer_without_keys(issuer, keys):
    document = issuer.metadata()
    del document["jwks_uri"]
    issuer.instead[METADATA] = Reply(body=json.dumps(document).encode())
    with pytest.raises(VerifierUnavailable) as failed:
        keys.get("k1")
    assert "has no keys" in failed.value.detail


def test_keys_are_found_by_metadata_which_is_remembered(issuer, keys, time):
    assert keys.get("k1")
    assert issuer.hits == {METADATA: 1, JWKS: 1}
    time.advance(301)
    assert keys.get("k1")
    assert issuer.hits == {METADATA: 1, JWKS: 2}
    time.advance(3600)
    assert keys.get("k1")
    assert issuer.hits == {METADATA: 2, JWKS: 3}


@pytest.mark.rfc("8414", "3.3")
@pytest.mark.parametrize("other", ["{}/", "{}.evil.example", "https://evil.example", ""])
def test_metadata_of_another_issuer_is_not_used(issuer, keys, other):
    document = issuer.metadata() | {"issuer": other.format(issuer.url)}
    issuer.instead[METADATA] = Reply(body=json.dumps(document).encode())
    with pytest.raises(VerifierUnavailable) as refused:
        keys.get("k1")
    assert "another issuer" in refused.value.detail
    assert issuer.hits[JWKS] == 0


@pytest.mark.parametrize(
    "jwks_uri",
    ["file:///etc/passwd", "ftp://a.example/x", "data:application/json,{}", "http://a.example/jwks",
     "https://user@a.example/", "//a.example/x", "/jwks", "", None, 7, "https://", "http://[::1", "https://a:x/"],
)  # fmt: skip
def test_metadata_cannot_send_us_anywhere(issuer, keys, jwks_uri):
    document = issuer.metadata() | {"jwks_uri": jwks_uri}
    issuer.instead[METADATA] = Reply(body=json.dumps(document).encode())
    with pytest.raises(VerifierUnavailable):
        keys.get("k1")


@pytest.mark.parametrize(
    "reply", [Reply(500), Reply(302, b"", {"Location": "/x"}), Reply(200, b"[]")]
)
def test_metadata_that_fails_later_is_kept(issuer, keys, time, reply):
    assert keys.get("k1")
    issuer.instead[METADATA] = reply
    time.advance(3601)
    assert keys.get("k1")
    assert issuer.hits == {METADATA: 2, JWKS: 2}
    time.advance(301)
    assert keys.get("k1")
    assert issuer.hits == {METADATA: 3, JWKS: 3}


def test_an_issuer_that_is_down_is_not_asked_by_every_request(issuer, fetch, time):
    discovery = Discovery(issuer.url, monotonic=time.monotonic)
    issuer.down(METADATA)
    for _ in range(20):
        with pytest.raises(FetchFailed) as failed:
            fetch.hold(discovery.introspection_endpoint())
        assert "status 503" in failed.value.detail
    assert issuer.hits[METADATA] == 1
    issuer.up()
    time.advance(5)
    endpoint = fetch.hold(discovery.introspection_endpoint())
    assert endpoint == issuer.url + FakeIssuer.INTROSPECT


def test_an_issuer_without_introspection(issuer, fetch):
    document = issuer.metadata()
    del document["introspection_endpoint"]
    issuer.instead[METADATA] = Reply(body=json.dumps(document).encode())
    with pytest.raises(FetchFailed) as failed:
        fetch.hold(Discovery(issuer.url).introspection_endpoint())
    assert "no introspection endpoint" in failed.value.detail


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000", "http://localhost:8000/x", "http://[::1]/x", "http://127.8.8.8", "https://a.example"],
)  # fmt: skip
def test_addresses_that_are_asked(url):
    assert require_safe_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example", "http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://10.0.0.1",
        "http://169.254.169.254", "https://u:p@a.example", "https://a.example/#x", "https://a.example/\n",
        "gopher://a.example", "", "a.example",
    ],
)  # fmt: skip
def test_addresses_that_are_not(url, fetch):
    with pytest.raises(ValueError, match="not an https URL"):
        require_safe_url(url)
    with pytest.raises(FetchFailed):
        fetch.get(url)
    with pytest.raises(ValueError, match="not an https URL"):
        JwksUrl(url)


def test_a_client_of_ones_own_does_not_follow_redirects_either(issuer):
    issuer.instead[JWKS] = Reply(302, b"", {"Location": issuer.url + METADATA})
    with httpx.Client(follow_redirects=True, trust_env=False) as client:
        answer = Fetch(client=client).get(issuer.url + JWKS)
    assert answer.status == 302
    assert issuer.hits[METADATA] == 0


def test_what_failed_does_not_quote_what_was_sent(fetch):
    with pytest.raises(FetchFailed) as failed:
        fetch.post("http://127.0.0.1:9/x", {"token": "sesame"}, {"authorization": "Basic sesame"})
    assert "sesame" not in failed.value.detail + str(failed.value)
