"""No secret and no token stands in an event, whatever is done with them."""

import json

import pytest

from app.admin import users
from app.admin.users import NewUser
from tests.audit.conftest import Audited, events_of
from tests.support.installation import installed
from tests.support.served import serving

ADMINISTRATOR = ("keyturn:*",)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A day in the life: everything that makes or takes a secret, by HTTP against a real server.

    Answers every secret there was, and everything that was remembered of it.
    """
    with installed(tmp_path_factory.mktemp("run")) as house:
        secrets = []
        with serving(house) as server:
            admin = house.client(ADMINISTRATOR)
            token = server.token(admin)
            secrets += [admin.client_secret, token]
            bearer = {"Authorization": f"Bearer {token}"}

            def call(method, path, body=None, **also):
                answer = server.request(method, path, json=body, headers=bearer, **also)
                assert answer.status_code < 500, answer.text
                return answer

            made = call(
                "POST",
                "/v1/clients",
                {"name": "machine", "scopes": ["bookings:read", "keyturn:introspect"]},
            ).json()
            client = (made["client_id"], made["client_secret"])
            secrets.append(made["client_secret"])
            more = call("POST", f"/v1/clients/{client[0]}/secrets", {"grace_seconds": 60}).json()
            secrets.append(more["client_secret"])
            key = call("POST", "/v1/api-keys", {"name": "key", "scopes": ["bookings:read"]}).json()
            secrets.append(key["key"])
            rotated = call("POST", f"/v1/api-keys/{key['id']}/rotate", {"grace_seconds": 60}).json()
            secrets.append(rotated["key"])
            call("POST", "/v1/api-keys/verify", {"key": rotated["key"]})
            made_user = users.create(
                house.desk, house.operator, NewUser(email="a@b.example", role="auditor")
            )
            secrets.append(made_user.secret)
            for secret in list(secrets):
                misplaced(server, client, secret)
            mine = server.post(
                "/oauth/token", data={"grant_type": "client_credentials"}, auth=client
            )
            secrets.append(mine.json()["access_token"])
            for presented in [*secrets, "eyJhbGciOiJub25lIn0.e30.", "kt_live_guess_123456"]:
                server.post("/oauth/introspect", data={"token": presented}, auth=client)
                if presented != admin.client_secret:  # it would end, and what follows with it
                    server.post("/oauth/revoke", data={"token": presented}, auth=client)
            call(
                "DELETE",
                f"/v1/clients/{client[0]}/secrets/{more['client_secret_id']}"
                if "client_secret_id" in more
                else f"/v1/clients/{client[0]}/secrets/{more['id']}",
            )
            call("POST", "/v1/signing-keys/rotate", {})
            call("DELETE", f"/v1/api-keys/{rotated['id']}")
            call("DELETE", f"/v1/clients/{client[0]}")
        audited = Audited(house)
        audited.ship()
        audited.checkpoint()
        yield audited, [secret for secret in secrets if secret]


def misplaced(server, client, secret):
    """Where it does not belong: in every field, header and parameter of a request."""
    forms = (
        {"grant_type": secret},
        {"grant_type": "client_credentials", "scope": secret},
        {"grant_type": "client_credentials", "resource": secret},
        {"grant_type": "client_credentials", "audience": secret},
        {"grant_type": "client_credentials", secret: "x"},
    )
    for form in forms:
        server.post("/oauth/token", data=form, auth=client)
    for auth in ((secret, client[1]), (client[0], secret), (secret, secret)):
        server.post("/oauth/token", data=forms[1], auth=auth)
    server.post("/oauth/token", data=forms[0] | {"client_id": secret, "client_secret": secret})
    server.post(f"/oauth/token?access_token={secret}", data=forms[0], auth=client)
    bearer = {"Authorization": f"Bearer {secret}"}
    for path in ("/v1/me", f"/v1/clients/{secret}", f"/v1/api-keys/{secret}", "/v1/activity"):
        server.get(path, headers=bearer)
        server.request("DELETE", path, headers=bearer)
    server.post("/v1/api-keys/verify", json={"key": secret}, headers=bearer)


def parts(secret):
    """The whole, and what of it would be of use: a token's signature, half of a key's secret."""
    yield secret
    if secret.count(".") == 2:
        yield secret.split(".")[2]
    else:
        middle = secret.removeprefix("kts_live_").removeprefix("kt_live_")
        yield middle[:16]
        yield middle[16:32]


def test_something_has_happened(run):
    audited, secrets = run
    types = {event["type"] for event in events_of(audited.export())}
    assert len(secrets) >= 8
    assert {
        "api_key.created", "api_key.rotated", "client.created", "client_secret.created",
        "token.issued", "token.refused", "signing_key.rotated", "user.created",
    } <= types  # fmt: skip


def test_no_event_holds_a_secret(run):
    audited, secrets = run
    rows = audited.installation.rows("SELECT * FROM audit_events")
    written = json.dumps([[str(value) for value in row] for row in rows], ensure_ascii=False)
    exported = b"".join(audited.export()).decode()
    for secret in secrets:
        for part in parts(secret):
            assert len(part) >= 16
            assert part not in written
            assert part not in exported


def test_no_journal_holds_a_secret(run):
    audited, secrets = run
    left = b"".join(path.read_bytes() for path in audited.installation.journal_dir.iterdir())
    for secret in secrets:
        assert secret.encode() not in left
