"""Other people's clients, over a real socket: they get a token without being told anything but
the URL, the id and the secret."""

import asyncio
import json
import shutil
import subprocess
import warnings
from base64 import b64encode
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import httpx
import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError, InvalidScopeError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session as RequestsOAuth2Session

from keyturn.client import ClientKey, TokenSource
from tests.support.assertions import SigningKey
from tests.support.tokens import read

with warnings.catch_warnings():
    # Authlib would rather have httpx's successor.
    warnings.simplefilter("ignore", DeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client

TOKEN = "/oauth/token"


@pytest.fixture(scope="module")
def service(installation):
    return installation.client(["bookings:read", "bookings:create", "keyturn:introspect"])


@pytest.fixture(scope="module")
def metadata(server):
    return httpx.get(server.url + "/.well-known/oauth-authorization-server").json()


def assert_good(token, server, service, scope="bookings:read"):
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == 900
    claims = read(token["access_token"], server).claims
    assert claims["client_id"] == service.client_id
    assert claims["scope"] == scope


# Authlib -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [OAuth2Session, OAuth2Client])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib(server, service, metadata, session, method):
    with session(*service, scope="bookings:read", token_endpoint_auth_method=method) as client:
        token = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
        assert_good(token, server, service)
        answer = client.introspect_token(
            metadata["introspection_endpoint"], token=token["access_token"]
        )
        assert answer.json()["active"] is True
        answer = client.revoke_token(metadata["revocation_endpoint"], token=token["access_token"])
        assert answer.status_code == 200
        answer = client.introspect_token(
            metadata["introspection_endpoint"], token=token["access_token"]
        )
        assert answer.json() == {"active": False}


def test_authlib_async(server, service, metadata):
    async def fetch():
        async with AsyncOAuth2Client(*service, scope="bookings:read") as client:
            return await client.fetch_token(
                metadata["token_endpoint"], grant_type="client_credentials"
            )

    assert_good(asyncio.run(fetch()), server, service)


def test_authlib_asks_again_by_itself(server, service, metadata):
    """A client that holds an expired token fetches the next one when it is used."""
    fetched = []
    with OAuth2Client(
        *service,
        scope="bookings:read",
        token_endpoint=metadata["token_endpoint"],
        grant_type="client_credentials",
        token={"access_token": "old", "token_type": "Bearer", "expires_at": 1},
        update_token=lambda token, **_: fetched.append(token),
    ) as client:
        client.get(server.url + "/health")
        assert_good(client.token, server, service)
    assert len(fetched) == 1


def test_authlib_understands_a_refusal(server, service, metadata):
    with OAuth2Session(service.client_id, "wrong") as client:
        with pytest.raises(OAuthError) as refused:
            client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
        assert refused.value.error == "invalid_client"


# requests-oauthlib -------------------------------------------------------------------------------


@pytest.fixture
def insecure(monkeypatch):
    # oauthlib wants https for everything; the tests are on loopback.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture
def oauthlib_session(insecure, service):
    client = BackendApplicationClient(client_id=service.client_id, scope=["bookings:read"])
    with RequestsOAuth2Session(client=client) as session:
        yield session


def test_requests_oauthlib_by_basic(server, service, metadata, oauthlib_session):
    token = oauthlib_session.fetch_token(metadata["token_endpoint"], auth=HTTPBasicAuth(*service))
    assert_good(token, server, service)


def test_requests_oauthlib_by_its_own_way(server, service, metadata, oauthlib_session):
    # It builds Basic itself, and may put the client_id into the body as well.
    token = oauthlib_session.fetch_token(
        metadata["token_endpoint"], client_secret=service.client_secret
    )
    assert_good(token, server, service)


def test_requests_oauthlib_in_the_body(server, service, metadata, oauthlib_session):
    token = oauthlib_session.fetch_token(
        metadata["token_endpoint"],
        client_id=service.client_id,
        client_secret=service.client_secret,
        include_client_id=True,
    )
    assert_good(token, server, service)


def test_requests_oauthlib_understands_a_refusal(metadata, service, oauthlib_session):
    with pytest.raises(InvalidClientError):
        oauthlib_session.fetch_token(metadata["token_endpoint"], client_secret="wrong")


def test_oauthlib_understands_a_scope_that_is_refused(metadata, service, insecure):
    client = BackendApplicationClient(client_id=service.client_id, scope=["reports:read"])
    with (
        RequestsOAuth2Session(client=client) as session,
        pytest.raises(InvalidScopeError),
    ):
        session.fetch_token(metadata["token_endpoint"], auth=HTTPBasicAuth(*service))


# Plain HTTP clients ------------------------------------------------------------------------------


def test_requests(server, service):
    form = {"grant_type": "client_credentials", "scope": "bookings:read"}
    response = requests.post(server.url + TOKEN, data=form, auth=service, timeout=10)
    assert_good(response.json(), server, service)


def test_urllib(server, service):
    form = urlencode({"grant_type": "client_credentials", "scope": "bookings:read"}).encode()
    credentials = b64encode(":".join(service).encode()).decode()
    request = Request(server.url + TOKEN, form, {"Authorization": f"Basic {credentials}"})
    with urlopen(request, timeout=10) as response:
        assert_good(json.load(response), server, service)


CURL = shutil.which("curl")


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--http1.0"],
        ["--http1.1", "-H", "Transfer-Encoding: chunked"],
        ["-H", "Expect: 100-continue"],
        ["-H", "Content-Type: application/x-www-form-urlencoded; charset=UTF-8"],
        ["--http2"],  # offers to upgrade; the server need not
        ["--compressed"],
        ["--path-as-is"],
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_curl(server, service, options):
    command = [
        CURL, "--silent", "--show-error", "--fail-with-body", "--max-time", "10", *options,
        "-u", ":".join(service), "-d", "grant_type=client_credentials",
        "--data-urlencode", "scope=bookings:read", server.url + TOKEN,
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert_good(json.loads(ended.stdout), server, service)


# By a key -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signing(installation):
    key = SigningKey("RS256", kid="one")
    made = installation.client(
        ["bookings:read"], token_endpoint_auth_method="private_key_jwt", jwks=key.jwks
    )
    return made, key


def pem(key):
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("session", [OAuth2Session, OAuth2Client])
def test_authlib_signs(server, signing, metadata, session):
    client, key = signing
    endpoint = metadata["token_endpoint"]
    with session(
        client.client_id, pem(key), token_endpoint_auth_method="private_key_jwt"
    ) as signer:
        signer.register_client_auth_method(PrivateKeyJWT(endpoint))
        for _ in range(2):
            token = signer.fetch_token(endpoint, grant_type="client_credentials")
            assert_good(token, server, client)


def test_our_own_client_signs(server, signing):
    client, key = signing
    source = TokenSource(server.url, client.client_id, client_key=ClientKey(pem(key), kid="one"))
    for _ in range(2):
        token = source.token()
        assert read(token, server).claims["client_id"] == client.client_id
        source.drop(token)
    source.close()
