"""Where a TokenSource asks: what metadata says, what of it is refused, how the secret goes."""

import json

import pytest

from keyturn.client import TokenUnavailable
from tests.keyturn.support import CLIENT_SECRET, FakeIssuer, Reply

METADATA, OPENID, TOKEN = FakeIssuer.METADATA, FakeIssuer.OPENID, FakeIssuer.TOKEN


@pytest.mark.rfc("8414", "3.1")
def test_metadata_of_openid_connect_will_do(issuer, source):
    document = issuer.metadata()
    del document["jwks_uri"]
    issuer.instead = {METADATA: Reply(404), OPENID: Reply(body=json.dumps(document).encode())}
    assert source.token() == "token_1"


@pytest.mark.parametrize("endpoint", ["http://evil.example/t", "file:///etc/passwd", None, 7])
def test_metadata_does_not_send_the_secret_anywhere(issuer, source, endpoint):
    document = issuer.metadata() | {"token_endpoint": endpoint}
    issuer.instead[METADATA] = Reply(body=json.dumps(document).encode())
    with pytest.raises(TokenUnavailable):
        source.token()
    assert issuer.token_requests == []


def test_metadata_of_another_issuer(issuer, source):
    document = issuer.metadata() | {"issuer": "https://evil.example"}
    issuer.instead[METADATA] = Reply(body=json.dumps(document).encode())
    with pytest.raises(TokenUnavailable) as failed:
        source.token()
    assert "another issuer" in failed.value.detail


def test_a_token_endpoint_that_is_named(issuer, source_of):
    assert source_of(issuer=None, token_endpoint=issuer.url + TOKEN).token() == "token_1"
    assert issuer.hits == {TOKEN: 1}


@pytest.mark.parametrize(
    ("supported", "chosen", "is_basic"),
    [
        (None, None, True),
        (["client_secret_basic", "client_secret_post"], None, True),
        (["client_secret_post"], None, False),
        (["private_key_jwt"], None, True),
        (None, "client_secret_post", False),
        (["client_secret_post"], "client_secret_basic", True),
    ],
)
def test_how_the_secret_is_sent(issuer, source_of, supported, chosen, is_basic):
    document = issuer.metadata()
    if supported is not None:
        document["token_endpoint_auth_methods_supported"] = supported
    issuer.instead[METADATA] = Reply(body=json.dumps(document).encode())
    source_of(auth_method=chosen).token()
    [(authorization, form)] = issuer.token_requests
    assert authorization.startswith("Basic ") is is_basic
    assert form.get("client_secret") == (None if is_basic else [CLIENT_SECRET])
