"""POST /oauth/token: what a good request gets (RFC 6749 §4.4, §5.1; RFC 9068)."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.tokens import read

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def service(installation):
    return installation.client(["bookings:read", "bookings:write"], name="Ada's machine")


@pytest.mark.rfc("6749", "5.1")
def test_the_answer_has_exactly_four_members(server, service):
    response = server.ask(service)
    body = response.json()
    assert response.status_code == 200
    assert list(body) == ["access_token", "token_type", "expires_in", "scope"]
    assert body["token_type"] == "Bearer"
    assert type(body["expires_in"]) is int
    assert body["expires_in"] == 900
    assert body["scope"] == "bookings:create bookings:read bookings:write"


@pytest.mark.rfc("6749", "4.4.3")
def test_there_is_no_refresh_token(server, service):
    assert "refresh_token" not in server.ask(service).json()


@pytest.mark.rfc("6749", "5.1")
@pytest.mark.parametrize("form", [GRANT, {"grant_type": "password"}, {}])
def test_no_answer_is_kept_by_any_cache(server, service, form):
    response = server.post("/oauth/token", data=form, auth=service)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_every_answer_names_its_request(server, service):
    ids = [server.ask(service).headers["X-Request-Id"] for _ in range(2)]
    ids.append(server.get("/oauth/token").headers["X-Request-Id"])
    ids.append(server.get("/.well-known/jwks.json").headers["X-Request-Id"])
    ids.append(server.get("/nowhere").headers["X-Request-Id"])
    assert len(set(ids)) == 5
    assert all(re.fullmatch("req_[0-9a-f]{24}", one) for one in ids)


def test_a_request_id_from_outside_is_not_taken_over(server, service):
    forged = "req_" + "0" * 24
    headers = {"X-Request-Id": forged}
    response = server.post("/oauth/token", data=GRANT, auth=service, headers=headers)
    assert response.headers["X-Request-Id"] != forged


@pytest.mark.rfc("9068", "2.1")
def test_the_header_is_exactly_this(server, service):
    header = read(server.token(service), server).header
    assert set(header) == {"alg", "typ", "kid"}
    assert header["alg"] == "ES256"
    assert header["typ"] == "at+jwt"


@pytest.mark.rfc("9068", "2.2")
def test_the_claims_are_exactly_these(server, service, installation):
    before = int(time.time())
    claims = read(server.token(service, scope="bookings:read"), server).claims
    after = int(time.time())
    issued_at = claims.pop("iat")
    assert type(issued_at) is int
    assert before <= issued_at <= after
    assert claims.pop("exp") == issued_at + 900
    assert re.fullmatch(r"[A-Za-z0-9_-]{30}", claims.pop("jti"))
    place = claims.pop("status")["status_list"]  # tests/protocol/test_status_lists.py
    assert place.keys() == {"idx", "uri"}
    assert claims == {
        "iss": server.url,
        "sub": service.client_id,
        "aud": server.url,
        "client_id": service.client_id,
        "scope": "bookings:read",
        "org": installation.organization_id,
        "env": "live",
    }


def test_a_token_holds_neither_secret_nor_name(server, service):
    # A JWT is readable by everybody who sees it.
    claims = str(read(server.token(service), server).claims)
    assert service.client_secret not in claims
    assert "Ada" not in claims


@pytest.mark.rfc("7519", "4.1.7")
def test_every_token_has_an_id_of_its_own(server, service):
    ids = {read(server.token(service), server).claims["jti"] for _ in range(20)}
    assert len(ids) == 20


def test_the_environment_is_the_clients(server, installation):
    tester = installation.client(environment="test")
    assert read(server.token(tester), server).claims["env"] == "test"


@pytest.mark.parametrize(("token_ttl", "lasts"), [(None, 900), (10, 10), (60, 60), (86400, 86400)])
def test_a_client_may_have_a_token_life_of_its_own(server, installation, token_ttl, lasts):
    client = installation.client(token_ttl=token_ttl)
    response = server.ask(client).json()
    claims = read(response["access_token"], server).claims
    assert response["expires_in"] == lasts
    assert claims["exp"] - claims["iat"] == lasts


def test_an_asked_for_lifetime_changes_nothing(server, service):
    assert server.ask(service, expires_in="99999", exp="99999").json()["expires_in"] == 900


@pytest.mark.rfc("6749", "3.2")
def test_unknown_parameters_are_ignored(server, service):
    response = server.ask(service, foo="bar", sub="somebody", org="org_x", client_name="x")
    claims = read(response.json()["access_token"], server).claims
    assert claims["sub"] == service.client_id
    assert claims["org"] != "org_x"


def test_several_secrets_are_good_at_once(server, installation):
    client = installation.client()
    second = installation.secret(client.client_id).client_secret
    for secret in (client.client_secret, second):
        assert server.ask((client.client_id, secret)).status_code == 200


def test_a_new_secret_works_at_once_although_the_client_is_known(server, installation):
    # The served process holds the client in memory; a secret that it does not know is looked up.
    client = installation.client()
    server.token(client)
    second = installation.secret(client.client_id).client_secret
    assert server.ask((client.client_id, second)).status_code == 200


def test_a_secret_ends_when_its_time_has_come(server, installation):
    ends_at = datetime.now(UTC) + timedelta(seconds=1)
    client = installation.client(secret_expires_at=ends_at)
    assert server.ask(client).status_code == 200
    while datetime.now(UTC) < ends_at:
        # What is waited for is the clock itself.
        time.sleep((ends_at - datetime.now(UTC)).total_seconds())
    response = server.ask(client)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


@pytest.mark.rfc("6749", "5.2")
@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password", "username": "a", "password": "b"}, 400, None),
        ({"grant_type": "authorization_code", "code": "a"}, 400, None),
        ({"grant_type": "refresh_token", "refresh_token": "a"}, 400, None),
        ({"grant_type": "implicit"}, 400, None),
        ({"grant_type": "Client_Credentials"}, 400, None),
        ({"grant_type": "client_credentials "}, 400, None),
        ({"grant_type": "client_credentials,password"}, 400, None),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}, 400, None),
        ({"grant_type": "x" * 5000}, 400, None),
        ({"grant_type": "😀"}, 400, None),
    ],
)
def test_only_grants_that_exist(server, service, form, status, error):
    response = server.post("/oauth/token", data=form, auth=service)
    assert response.status_code == status
    assert response.json()["error"] == (error or "unsupported_grant_type")
    assert "access_token" not in response.text


def test_an_unsupported_grant_says_so_without_repeating_it(server, service):
    response = server.ask(service, grant_type="<b>alert(1)</b>")
    assert "alert" not in response.text


@pytest.mark.rfc("6749", "5.2")
def test_a_client_that_may_not_use_the_grant_is_told_so(server, installation):
    client = installation.client()
    installation.force_client(client.client_id, grant_types=["urn:example:other"])
    response = server.ask(client)
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke"])
def test_only_post(server, service, method, path):
    response = server.request(method, path, auth=service)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    if method != "HEAD":
        assert response.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    "path", ["/oauth/token/", "/oauth/Token", "//oauth/token", "/oauth/token/x", "/oauth"]
)
def test_the_path_is_exactly_the_path(server, service, path):
    response = server.post(path, data=GRANT, auth=service)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/xml;q=1", "*/*;q=0"])
def test_answers_are_json_whatever_is_accepted(server, accept):
    response = server.post("/oauth/token", data=GRANT, headers={"Accept": accept})
    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["error"] == "invalid_client"
