"""Published mistakes of authorization servers: who is believed to be a client.

Each test names the advisory or issue it stands for. The whole tables are in ``tests/protocol``.
"""

import time
from base64 import b64encode

import pytest

from tests.support.installation import installed
from tests.support.statements import statements

GRANT = {"grant_type": "client_credentials"}
ASSERTION = {
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client_assertion": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjbGllbnQifQ.",
}


def ask(installation, client, data=GRANT, **also):
    return installation.http.post("/oauth/token", data=data, auth=client, **also)


def is_refused(response):
    return (response.status_code, response.json()["error"]) == (401, "invalid_client")


# Keycloak CVE-2026-16093: a policy was satisfied by an assertion that nobody had verified, while a
# plain secret did the authentication.
def test_an_unverified_assertion_satisfies_nothing(installation):
    client = installation.client()
    installation.force_client(client.client_id, token_endpoint_auth_method="private_key_jwt")
    assert is_refused(ask(installation, client))
    for data in (GRANT | ASSERTION, GRANT | ASSERTION | {"client_id": client.client_id}):
        both = ask(installation, client, data)
        assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
        assert is_refused(ask(installation, None, data))


# Ory Hydra CVE-2020-5300, and every "alg: none": where assertions are no method, none is accepted.
def test_an_assertion_alone_is_nobody(installation):
    client = installation.client()
    for data in (GRANT | ASSERTION, GRANT | ASSERTION | {"client_id": client.client_id}):
        assert is_refused(ask(installation, None, data))


# Keycloak CVE-2024-10039: a certificate in a header was believed from anybody.
@pytest.mark.parametrize(
    "header",
    [
        "Client-Cert",
        "X-Client-Cert",
        "X-SSL-Client-Cert",
        "SSL-Client-Cert",
        "X-SSL-Client-Verify",
        "X-Forwarded-Client-Cert",
        "X-Forwarded-Tls-Client-Cert",
        "X-Remote-User",
        "Remote-User",
    ],
)
def test_a_header_is_no_certificate(installation, header):
    client = installation.client()
    data = GRANT | {"client_id": client.client_id}
    headers = {header: client.client_id}
    assert is_refused(installation.http.post("/oauth/token", data=data, headers=headers))


# django-oauth-toolkit #1077: the stored hash was accepted as the secret.
def test_what_the_database_holds_opens_nothing(installation):
    client = installation.client()
    ((digest, prefix, last_four),) = installation.rows(
        "SELECT digest, prefix, last_four FROM client_secrets WHERE client_id = :id",
        id=client.client_id,
    )
    for stolen in (digest.hex(), b64encode(digest).decode(), prefix, prefix + last_four):
        assert is_refused(ask(installation, (client.client_id, stolen)))


# oidc-provider and django-oauth-toolkit: a secret followed by a NUL was accepted; HMAC and PBKDF2
# pad their key with zero bytes, and zero-filled buffers do the same.
@pytest.mark.parametrize("tail", ["\0", "\0\0\0\0", "\0x", "%00", " ", "\t", "\n", "\u200b", "="])
def test_a_secret_is_compared_to_its_end(installation, tail):
    client = installation.client()
    for user, password in (
        (client.client_id, client.client_secret + tail),
        (client.client_id + tail, client.client_secret),
    ):
        assert is_refused(ask(installation, (user, password)))
        body = GRANT | {"client_id": user, "client_secret": password}
        assert ask(installation, None, body).status_code in (400, 401)


# django-oauth-toolkit kept secrets as they were until 2.x.
def test_no_secret_lies_anywhere_on_the_disk(tmp_path):
    with installed(tmp_path / "searched") as installation:
        client = installation.client(["keyturn:introspect"])
        second = installation.secret(client.client_id).client_secret
        key = installation.api_key().key
        token = ask(installation, client).json()["access_token"]
        installation.http.post("/oauth/introspect", data={"token": key}, auth=client)
        installation.http.post("/oauth/revoke", data={"token": token}, auth=client)
        on_disk = b"".join(
            path.read_bytes() for path in (tmp_path / "searched").rglob("*") if path.is_file()
        )
        assert client.client_id.encode() in on_disk  # the search finds what is there
        for secret in (client.client_secret, second, key, token):
            assert secret.encode() not in on_disk
            # Nor the part that cannot be guessed, without what is around it.
            assert max(secret.split("_"), key=len).encode() not in on_disk


# django-oauth-toolkit again: a million rounds of PBKDF2 on each token request; and cve-services
# #1885: a slow hash for each guess turns the defence into the attack.
def test_a_wrong_guess_is_cheap(installation):
    client = installation.client()
    ask(installation, client)
    started = time.process_time()
    for number in range(100):
        assert is_refused(ask(installation, (client.client_id, f"guess-{number}")))
    assert time.process_time() - started < 3


# "A stranger locks a client out by sending bad secrets in its name."
def test_bad_secrets_in_a_clients_name_do_not_stop_the_client(tmp_path):
    environ = {"KEYTURN_FAILED_AUTHENTICATION_LIMIT": "5/day"}
    with installed(tmp_path / "limited", **environ) as installation:
        client = installation.client()
        assert ask(installation, client).status_code == 200
        answers = {ask(installation, (client.client_id, "bad")).status_code for _ in range(20)}
        assert answers == {401, 429}
        assert ask(installation, client).status_code == 200


# dub #4273: the limiter stood behind the look-up that it should have spared.
def test_whoever_is_over_the_limit_costs_no_look_up(tmp_path):
    environ = {"KEYTURN_FAILED_AUTHENTICATION_LIMIT": "3/day"}
    with installed(tmp_path / "limited", **environ) as installation:
        client = installation.client()
        for _ in range(5):
            ask(installation, (client.client_id, "bad"))
        with statements(installation) as made:
            for user in (client.client_id, "client_unknown"):
                assert ask(installation, (user, "bad")).status_code == 429
        assert made == []


# flask-limiter #41 and a long tail: the limiter counted by what the client says of itself.
def test_a_forged_address_is_no_fresh_start(tmp_path):
    environ = {"KEYTURN_FAILED_AUTHENTICATION_LIMIT": "3/day"}
    with installed(tmp_path / "limited", **environ) as installation:
        answers = [
            ask(
                installation,
                ("client_unknown", "bad"),
                headers={"X-Forwarded-For": f"198.51.100.{n}", "X-Real-IP": f"198.51.100.{n}"},
            ).status_code
            for n in range(6)
        ]
        assert answers == [401, 401, 401, 429, 429, 429]
