"""The authorization server's metadata (RFC 8414): true, complete, and what clients demand."""

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

from app.wiring import CLIENT_AUTH_METHODS, GRANTS
from tests.support.assertions import SigningKey, claims, proof

PATHS = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]


@pytest.fixture(scope="module")
def document(server):
    return server.get(PATHS[0]).json()


@pytest.mark.rfc("8414", "3.2")
@pytest.mark.parametrize("path", PATHS)
def test_the_same_document_at_both_paths(server, document, path):
    response = server.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == document


@pytest.mark.rfc("8414", "2")
def test_a_stranger_finds_it_valid(document):
    AuthorizationServerMetadata(document).validate()


@pytest.mark.rfc("8414", "3")
def test_it_lies_where_its_issuer_says(server, document):
    url = get_well_known_url(document["issuer"], external=True)
    assert url == server.url + PATHS[0]


@pytest.mark.rfc("8414", "3.3")
def test_the_issuer_is_exactly_the_configured_one(server, document, installation):
    assert document["issuer"] == server.url


def test_it_says_exactly_this(server, document):
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    algorithms = ["ES256", "EdDSA", "RS256", "PS256"]
    assert document == {
        "issuer": server.url,
        "token_endpoint": server.url + "/oauth/token",
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "jwks_uri": server.url + "/.well-known/jwks.json",
        "introspection_endpoint": server.url + "/oauth/introspect",
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": server.url + "/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "status_list_aggregation_endpoint": server.url + "/oauth/status-lists",
        "grant_types_supported": [
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        "authorization_endpoint": server.url + "/oauth/authorize",
        "response_types_supported": ["none"],
        "service_documentation": server.url + "/docs",
    }


def test_it_is_computed_from_what_is_enabled(document):
    assert document["grant_types_supported"] == [grant.GRANT_TYPE for grant in GRANTS]
    assert document["token_endpoint_auth_methods_supported"] == [
        method.name for method in CLIENT_AUTH_METHODS
    ]


def test_what_is_advertised_is_there(server, document):
    for name, value in document.items():
        if name.endswith(("_endpoint", "_uri", "_documentation")):
            assert value.startswith(server.url + "/")
            response = server.get(value.removeprefix(server.url), follow_redirects=True)
            assert response.status_code != 404, name


def test_every_advertised_method_works_everywhere(server, document, installation):
    client = installation.client(["keyturn:introspect"])
    by_body = dict(zip(("client_id", "client_secret"), client, strict=True))
    key = SigningKey()
    signing = installation.client(
        ["keyturn:introspect"], token_endpoint_auth_method="private_key_jwt", jwks=key.jwks
    )
    ways = {
        "client_secret_basic": lambda: {"auth": client},
        "client_secret_post": lambda: {"data": by_body},
        "private_key_jwt": lambda: {
            "data": proof(key.sign(claims(signing.client_id, document["issuer"])))
        },
    }
    for endpoint in ("token", "introspection", "revocation"):
        path = document[f"{endpoint}_endpoint"].removeprefix(server.url)
        for method in document[f"{endpoint}_endpoint_auth_methods_supported"]:
            also = ways[method]()
            data = {"grant_type": "client_credentials", "token": "x", **also.get("data", {})}
            response = server.post(path, data=data, auth=also.get("auth"))
            assert response.status_code == 200, (endpoint, method)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_authorization_endpoint_refuses_plainly(server, method):
    # It exists because some clients read metadata only where it is named. Nobody is sent away
    # from here: an answer that redirected would redirect wherever a stranger says.
    params = {"response_type": "code", "redirect_uri": "https://evil.example", "state": "x"}
    response = server.request(method, "/oauth/authorize", params=params)
    assert response.status_code == 400
    assert response.json()["error"] == "unsupported_response_type"
    assert "Location" not in response.headers
    assert "evil" not in response.text


@pytest.mark.parametrize("path", [*PATHS, "/.well-known/jwks.json"])
def test_browsers_may_read_it_from_anywhere(server, path):
    response = server.get(path, headers={"Origin": "https://app.example.com"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("path", [*PATHS, "/.well-known/jwks.json"])
def test_it_may_be_cached_and_asked_for_again_cheaply(server, path):
    first = server.get(path)
    assert first.headers["Cache-Control"] == "public, max-age=300"
    again = server.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    changed = server.get(path, headers={"If-None-Match": '"something-else"'})
    assert changed.content == first.content


@pytest.mark.parametrize("path", [*PATHS, "/.well-known/jwks.json", "/oauth/authorize", "/health"])
def test_nobody_gets_a_cookie(server, path):
    assert "Set-Cookie" not in server.get(path).headers


@pytest.mark.parametrize("path", [*PATHS, "/.well-known/jwks.json"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_is_only_read(server, path, method):
    response = server.request(method, path)
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]
    assert response.json()["error"]["code"] == "method_not_allowed"
