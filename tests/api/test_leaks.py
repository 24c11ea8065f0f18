"""`POST /v1/leaks`: GitHub's reports of leaked keys, its signature, and what policies do."""

import json
from base64 import b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keyturn.apikey import DEFAULT_API_KEY
from tests.support.installation import installed
from tests.support.tokens import unverified

# GitHub's own example, with the key that signed it.
GITHUB = "bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c"
GITHUB_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd
AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==
-----END PUBLIC KEY-----
"""
GITHUB_BODY = (
    b'[{"source":"commit","token":"some_token","type":"some_type",'
    b'"url":"https://example.com/base-repo-url/"}]'
)
GITHUB_SIGNATURE = (
    "MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/"
    "AO1RtBY66YcAdjxji410VQV4xg=="
)
OWN = ec.generate_private_key(ec.SECP256R1())
PLACE = "https://github.com/octocat/Hello-World/blob/1234/foo.txt"


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """An installation that knows GitHub's key, and one of ours."""
    directory = tmp_path_factory.mktemp("scanned")
    own = OWN.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    listed = [
        {"key_identifier": GITHUB, "key": GITHUB_KEY, "is_current": True},
        {"key_identifier": "own", "key": own, "is_current": False},
    ]
    file = directory / "github.json"
    file.write_text(json.dumps({"public_keys": listed}))
    with installed(directory, KEYTURN_GITHUB_KEYS_FILE=str(file)) as made:
        yield made


def send(installation, body, identifier, signature):
    headers = {
        "Content-Type": "application/json",
        "Github-Public-Key-Identifier": identifier,
        "Github-Public-Key-Signature": signature,
    }
    return installation.http.post("/v1/leaks", content=body, headers=headers)


def report(installation, *tokens, body=None):
    leaks = [{"token": one, "type": "kt", "url": PLACE, "source": "content"} for one in tokens]
    body = json.dumps(leaks).encode() if body is None else body
    return send(installation, body, "own", b64encode(OWN.sign(body, ec.ECDSA(SHA256()))).decode())


def feedback(token, label, type="kt"):
    digest = sha256(token.encode()).hexdigest()
    return {"token_hash": digest, "token_type": type, "label": label}


def standing(installation, key):
    [row] = installation.rows(
        "SELECT status, exposed_by, expires_at FROM api_keys WHERE id = :id", id=key.id
    )
    events = installation.rows(
        "SELECT type, actor_type, actor_id, details FROM audit_events"
        " WHERE target_id = :id AND type != 'api_key.created' ORDER BY id",
        id=key.id,
    )
    return row, [tuple(event) for event in events]


def test_the_example_of_github(scanned):
    response = send(scanned, GITHUB_BODY, GITHUB, GITHUB_SIGNATURE)
    assert response.status_code == 200
    assert response.json() == [feedback("some_token", "false_positive", "some_type")]


@pytest.mark.parametrize(("body", "identifier", "signature"), [
    (GITHUB_BODY + b"\n", GITHUB, GITHUB_SIGNATURE),
    (GITHUB_BODY, "own", GITHUB_SIGNATURE),
    (GITHUB_BODY, "nobody", GITHUB_SIGNATURE),
    (GITHUB_BODY, "", ""),
    (GITHUB_BODY, GITHUB, "no base64"),
    (GITHUB_BODY, GITHUB, b64encode(b"no signature").decode()),
])  # fmt: skip
def test_what_github_has_not_signed(scanned, body, identifier, signature):
    response = send(scanned, body, identifier, signature)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "bad_signature")


@pytest.mark.row("S0-8", "S4-5")
@pytest.mark.parametrize(("policy", "status", "is_shortened", "types"), [
    (None, "revoked", False, ["api_key.leaked", "api_key.revoked"]),
    ("revoke", "revoked", False, ["api_key.leaked", "api_key.revoked"]),
    ("grace", "active", True, ["api_key.leaked"]),
    ("tell", "active", False, ["api_key.leaked"]),
])  # fmt: skip
def test_a_leaked_key_is_acted_on_by_policy(scanned, policy, status, is_shortened, types):
    organization = scanned.organization()
    admin = scanned.api_key(["keyturn:*"], organization=organization)
    headers = {"Authorization": f"Bearer {admin.key}"}
    changed = scanned.http.patch("/v1/key-policy", json={"on_leak": policy}, headers=headers)
    assert changed.json()["on_leak"] == policy
    key = scanned.api_key(["keyturn:keys:read"], organization=organization)
    stranger = DEFAULT_API_KEY.generate("live")
    response = report(scanned, key.key, stranger)
    assert response.json() == [
        feedback(key.key, "true_positive"), feedback(stranger, "false_positive")
    ]  # fmt: skip
    row, events = standing(scanned, key)
    assert (row.status, row.exposed_by) == (status, "github")
    assert (row.expires_at is not None) == is_shortened
    assert [event[0] for event in events] == types
    assert {event[1:3] for event in events} == {("scanner", "github")}
    assert PLACE in str(events[0][3])
    mine = scanned.http.get("/v1/me", headers={"Authorization": f"Bearer {key.key}"})
    assert mine.status_code == (401 if status == "revoked" else 200)
    activity = scanned.http.get(f"/v1/activity?target_id={key.id}", headers=headers).json()
    assert "api_key.leaked" in [event["type"] for event in activity["data"]]
    assert key.key not in str(activity)
    # Told again, it is still a key, and its end stays as it was.
    assert report(scanned, key.key).json() == [feedback(key.key, "true_positive")]
    again, _ = standing(scanned, key)
    assert again.status == status
    assert again.expires_at is None if not is_shortened else again.expires_at == row.expires_at


def ask(installation, client):
    data = {"grant_type": "client_credentials"}
    return installation.http.post("/oauth/token", data=data, auth=tuple(client))


def under(installation, policy):
    """A client of an organization with this policy."""
    organization = installation.organization(scopes=["rooms:read"])
    admin = installation.api_key(["keyturn:*"], organization=organization)
    headers = {"Authorization": f"Bearer {admin.key}"}
    installation.http.patch("/v1/key-policy", json={"on_leak": policy}, headers=headers)
    return installation.client(["rooms:read"], organization=organization)


def events_of(installation, target):
    found = installation.rows(
        "SELECT type FROM audit_events WHERE target_id = :id AND actor_type = 'scanner'"
        " ORDER BY id",
        id=target,
    )
    return [event.type for event in found]


SECRET_EVENTS = ["client_secret.leaked", "client_secret.revoked"]
TOKEN_EVENTS = ["token.leaked", "token.revoked"]


@pytest.mark.row("S0-8")
@pytest.mark.parametrize(("policy", "status", "is_shortened", "acts"), [
    (None, 401, False, 2), ("revoke", 401, False, 2), ("grace", 200, True, 1),
    ("tell", 200, False, 1),
])  # fmt: skip
def test_a_leaked_client_secret_is_acted_on_by_policy(scanned, policy, status, is_shortened, acts):
    client = under(scanned, policy)
    for _ in range(2):
        answer = report(scanned, client.client_secret).json()
        assert answer == [feedback(client.client_secret, "true_positive")]
        assert ask(scanned, client).status_code == status
    [row] = scanned.rows(
        "SELECT expires_at FROM client_secrets WHERE client_id = :id", id=client.client_id
    )
    assert (row.expires_at is not None) == is_shortened
    told = events_of(scanned, client.client_id)
    assert told[:acts] == SECRET_EVENTS[:acts]
    assert told.count("client_secret.revoked") == acts - 1


@pytest.mark.parametrize(("policy", "active", "acts"), [
    (None, False, 2), ("revoke", False, 2), ("grace", True, 1), ("tell", True, 1)
])  # fmt: skip
def test_a_leaked_token_is_acted_on_by_policy(scanned, policy, active, acts):
    client = under(scanned, policy)
    token = ask(scanned, client).json()["access_token"]
    assert report(scanned, token).json() == [feedback(token, "true_positive")]
    asker = scanned.client(["keyturn:introspect", "keyturn:organizations:read"])
    answer = scanned.http.post("/oauth/introspect", data={"token": token}, auth=tuple(asker))
    assert answer.json()["active"] is active
    assert events_of(scanned, unverified(token)["jti"]) == TOKEN_EVENTS[:acts]


def test_a_token_that_is_over_or_nobodys(scanned):
    client = under(scanned, None)
    token = ask(scanned, client).json()["access_token"]
    scanned.delete_client(client.client_id)
    head, body, signature = token.split(".")
    strange = f"{head}.{body}.{signature[::-1]}"
    answers = report(scanned, token, strange, "a.b.c").json()
    assert [one["label"] for one in answers] == ["true_positive", *["false_positive"] * 2]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"type":"kt"}]', b"[[[", b"\xff"])
def test_a_signed_report_that_is_none(scanned, body):
    response = report(scanned, body=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid")


def test_a_report_that_is_too_large(scanned):
    assert report(scanned, body=b" " * (1024 * 1024 + 1)).status_code == 413


def test_there_is_no_such_page_without_keys(installation):
    assert report(installation, "x").status_code == 404


def test_keys_that_cannot_be_read(tmp_path):
    for text in (None, "{}", '{"public_keys": [{"key_identifier": "a", "key": "b"}]}'):
        file = tmp_path / "github.json"
        if text is not None:
            file.write_text(text)
        made = tmp_path / str(len(text or ""))
        made.mkdir()
        with installed(made, KEYTURN_GITHUB_KEYS_FILE=str(file)) as broken:
            assert report(broken, "x").status_code == 503


@pytest.mark.parametrize("value", ["shout", "", 1])
def test_a_policy_that_does_not_exist(scanned, value):
    admin = scanned.api_key(["keyturn:*"])
    headers = {"Authorization": f"Bearer {admin.key}"}
    response = scanned.http.patch("/v1/key-policy", json={"on_leak": value}, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == "on_leak"
