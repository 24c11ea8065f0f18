"""The generic page (S4): opaque keys, and client credentials beside them."""

import json
import re

import pytest

from tests.reference.support import replaced, shell

PRODUCT = "generic"
ENVIRON = {"KEYTURN_TOKEN_TYPE": "bearer", "KEYTURN_TOKEN_TTL": "3600"}
HOST = "https://api.example.com"
CURL = 'curl -H "Authorization: Bearer YOUR_API_KEY" https://api.example.com/api/v1/users/me'
TOKEN_CURL = """\
curl -X POST \\
https://api.example.com/oauth/token \\
-H 'Content-Type: application/x-www-form-urlencoded' \\
-d 'grant_type=client_credentials&client_id=YOUR_CLIENT_ID&client_secret=YOUR_CLIENT_SECRET'
"""


@pytest.fixture(scope="module")
def client(installation, product):
    return installation.client(
        ["experiences:read", "bookings:read"], organization=product.organization
    )


def token_request(product, client):
    return replaced(
        TOKEN_CURL,
        {
            HOST: product.server.url,
            "YOUR_CLIENT_ID": client.client_id,
            "YOUR_CLIENT_SECRET": client.client_secret,
        },
    )


@pytest.mark.row("S4-2", "S4-4")
def test_the_curl_example(product):
    made = product.key(["bookings:read"])
    printed = shell(replaced(CURL, {HOST: product.url, "YOUR_API_KEY": made.key}))
    assert json.loads(printed)["data"] == {
        "kind": "api_key",
        "id": made.id,
        "organization": product.organization,
        "environment": "live",
        "scopes": ["bookings:read"],
        "expires_at": None,
    }


@pytest.mark.row("S4-3")
def test_a_key_is_opaque(product):
    assert re.fullmatch(r"[a-z0-9]{32}", product.key().key)


@pytest.mark.row("S4-3")
def test_the_example_value_is_imported_and_opens_the_api(product, tmp_path):
    file = tmp_path / "keys.csv"
    file.write_text("key,name,scopes\nabcdef1234567890,former,bookings:read\n")
    runner = product.installation.app.test_cli_runner()
    done = runner.invoke(args=["key", "import", str(file), "--org", "generic"])
    assert (done.exit_code, "abcdef1234567890" in done.output) == (0, False)
    response = product.with_key("abcdef1234567890", "/api/v1/users/me")
    assert response.status_code == 200
    assert response.json()["data"]["scopes"] == ["bookings:read"]


@pytest.mark.row("S4-6", "S4-7", "S4-8", "S4-9", "S4-10", "S4-12", "S4-13")
def test_the_curl_example_of_a_token(product, client):
    answer = json.loads(shell(token_request(product, client)))
    assert answer.pop("access_token").count(".") == 2
    assert answer == {
        "token_type": "bearer",
        "expires_in": 3600,
        "scope": "bookings:read experiences:read",
    }


@pytest.mark.row("S4-12", "S4-14")
def test_the_token_opens_the_api_and_says_what_it_is(product, client):
    response = product.server.ask(client, scope="experiences:read")
    assert response.headers["Cache-Control"] == "no-store"
    token = response.json()["access_token"]
    assert product.with_key(token).status_code == 200
    header = json.loads(shell(f"echo {token} | cut -d. -f1 | tr _- /+ | base64 -d 2>/dev/null; :"))
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")


@pytest.mark.row("S4-11")
def test_no_more_scope_than_held(product, client):
    response = product.server.ask(client, scope="bookings:write")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


@pytest.mark.row("S4-15")
@pytest.mark.parametrize("wrong", ["client_id", "client_secret"])
def test_the_error_example(product, client, wrong):
    presented = client._replace(**{wrong: "wrong"})
    assert json.loads(shell(token_request(product, presented))) == {
        "error": "invalid_client",
        "error_description": "Client authentication failed",
    }
    response = product.server.ask(presented)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.row("S4-16")
def test_a_revoked_key_is_no_longer_valid(product):
    response = product.with_key(product.revoked())
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")


@pytest.mark.row("S4-7")
def test_a_json_body_is_no_form(product, client):
    response = product.server.post("/oauth/token", json={"grant_type": "client_credentials"})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
