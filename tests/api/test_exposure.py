"""Keys that are sent where others can read them: refused, in no log, and told to their owner."""

import logging

import httpx
import pytest

from keyturn.apikey import DEFAULT_API_KEY
from tests.support.installation import installed

ISSUER = "https://auth.example.com"
PEER = "10.0.0.1"


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """An installation whose issuer is https, behind a trusted proxy."""
    directory = tmp_path_factory.mktemp("secure")
    with installed(directory, KEYTURN_ISSUER=ISSUER, KEYTURN_TRUSTED_PROXIES=f"{PEER}/32") as made:
        yield made


def get(installation, url, key=None, *, peer="203.0.113.9", **headers):
    transport = httpx.WSGITransport(installation.app, remote_addr=peer)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    with httpx.Client(transport=transport) as http:
        return http.get(url, headers=sent)


def exposures(installation, key):
    [row] = installation.rows("SELECT exposed_by FROM api_keys WHERE id = :id", id=key.id)
    events = installation.rows(
        "SELECT id FROM audit_events WHERE type = 'api_key.exposed' AND target_id = :id", id=key.id
    )
    return row.exposed_by, len(events)


@pytest.mark.row("S2-22", "S0-2")
@pytest.mark.parametrize("path", ["/v1/me?key={}", "/v1/me?a=1&access_token={}", "/v1/api-keys/{}"])
def test_a_key_in_the_url_is_refused_and_flagged(installation, caplog, path):
    key, good = installation.api_key(["keyturn:keys:read"]), installation.api_key([]).key
    caplog.set_level(logging.DEBUG)
    for credential in (None, good, good):
        url = installation.services.settings.issuer + path.format(key.key)
        response = get(installation, url, credential)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "in_query"
        assert key.key not in response.text
    assert exposures(installation, key) == ("in_query", 1)
    installation.services.shipper.ship_now()
    ours = [record for record in caplog.records if not record.name.startswith("http")]
    assert key.key not in " ".join(record.getMessage() for record in ours)
    assert key.key not in str(installation.rows("SELECT * FROM audit_events"))
    # It still works where it belongs: its owner decides when it ends, and sees why.
    url = f"{installation.services.settings.issuer}/v1/api-keys/{key.id}"
    shown = get(installation, url, key.key).json()
    assert (shown["status"], shown["exposed_by"]) == ("active", "in_query")
    assert shown["exposed_at"] is not None


@pytest.mark.row("S2-22")
@pytest.mark.parametrize(("method", "status"), [("POST", 400), ("GET", 405)])
@pytest.mark.parametrize("path", ["/oauth/token?x={}", "/oauth/introspect?token={}",
                                  "/oauth/revoke?a=1&token={}"])  # fmt: skip
def test_a_key_in_the_url_of_an_oauth_endpoint(installation, path, method, status):
    key = installation.api_key([])
    url = installation.services.settings.issuer + path.format(key.key)
    for _ in range(2):
        response = installation.http.request(method, url, data={"grant_type": "x"})
        assert response.status_code == status
        assert key.key not in response.text
    assert exposures(installation, key) == ("in_query", 1)


def test_guesses_in_urls_count_against_the_address(tmp_path):
    with installed(tmp_path, KEYTURN_FAILED_AUTHENTICATION_LIMIT="2/minute") as guarded:
        statuses = [
            guarded.http.post(f"/oauth/token?k={DEFAULT_API_KEY.generate('live')}").status_code
            for _ in range(3)
        ]
        assert statuses == [400, 400, 429]


def test_an_unknown_key_in_the_url_is_refused_alike(installation):
    key = installation.api_key([]).key
    unknown = installation.api_key([])
    installation.revoke_key(unknown.id)
    texts = []
    for text in (key, unknown.key):
        response = get(installation, f"{installation.services.settings.issuer}/v1/me?k={text}")
        texts.append((response.status_code, response.json()["error"]["message"]))
    assert texts[0] == texts[1]


@pytest.mark.row("S2-21")
@pytest.mark.parametrize(("url", "headers", "status"), [
    ("https://auth.example.com/v1/me", {}, 200),
    ("http://auth.example.com/v1/me", {}, 401),
    ("http://auth.example.com/v1/me", {"X_Forwarded_Proto": "https"}, 401),
    ("http://auth.example.com/v1/me", {"X_Forwarded_Proto": "https", "peer": PEER}, 200),
    ("http://auth.example.com/v1/me", {"X_Forwarded_Proto": "http", "peer": PEER}, 401),
    ("https://auth.example.com/v1/me", {"X_Forwarded_Proto": "http", "peer": PEER}, 401),
])  # fmt: skip
def test_keys_are_taken_over_https_only(secure, url, headers, status):
    key = secure.api_key(["keyturn:keys:read"])
    for _ in range(2):
        response = get(secure, url, key.key, **headers)
        assert response.status_code == status
    if status == 200:
        assert exposures(secure, key) == (None, 0)
    else:
        assert response.json()["error"]["code"] == "insecure_transport"
        assert exposures(secure, key) == ("insecure_transport", 1)


def test_an_issuer_on_loopback_is_plain(installation):
    key = installation.api_key([]).key
    assert get(installation, "http://127.0.0.1:8000/v1/me", key).status_code == 200


@pytest.mark.parametrize(("exposed", "flagged"), [
    ("in_query", "in_query"), ("insecure_transport", "insecure_transport"), ("weather", None)
])  # fmt: skip
def test_a_resource_server_tells_of_an_exposed_key(installation, exposed, flagged):
    key = installation.api_key()
    api = installation.client(["keyturn:introspect"])
    stranger = installation.client(["keyturn:introspect"], organization=installation.organization())
    for caller, by in ((stranger, None), (api, flagged)):
        response = installation.http.post(
            "/oauth/introspect", data={"token": key.key, "exposed": exposed}, auth=tuple(caller)
        )
        assert response.status_code == 200
        assert exposures(installation, key)[0] == by


@pytest.mark.row("S2-24", "S2-25", "S1-24")
@pytest.mark.parametrize(("bound", "origin", "code"), [
    ({"allowed_ips": ["203.0.113.0/24"]}, None, None),
    ({"allowed_ips": ["198.51.100.0/24"]}, None, "ip_not_allowed"),
    ({"allowed_ips": ["2001:db8::/32"]}, None, "ip_not_allowed"),
    ({"allowed_domains": ["a.example"]}, "https://a.example", None),
    ({"allowed_domains": ["a.example"]}, "https://b.example", "origin_mismatch"),
    ({"allowed_domains": ["*.a.example"]}, "https://x.a.example", None),
    ({"allowed_domains": ["*.a.example"]}, "https://xa.example", "origin_mismatch"),
    ({"allowed_domains": ["a.example"]}, None, "origin_mismatch"),
    ({"allowed_domains": ["a.example"], "missing_origin": "allow"}, None, None),
    ({"allowed_domains": ["a.example"], "missing_origin": "allow"}, "null", "origin_mismatch"),
])  # fmt: skip
def test_a_restricted_key_at_the_management_api(installation, bound, origin, code):
    key = installation.api_key([], **bound).key
    headers = {"Origin": origin} if origin else {}
    response = get(installation, "http://127.0.0.1:8000/v1/me", key, **headers)
    if code is None:
        assert response.status_code == 200
    else:
        assert (response.status_code, response.json()["error"]["code"]) == (403, code)


EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}


@pytest.mark.row("S2-21")
@pytest.mark.parametrize(("scheme", "status"), [("https", 200), ("http", 400)])
def test_a_key_is_exchanged_over_https_only(secure, scheme, status):
    key = secure.api_key(["keyturn:keys:read"])
    transport = httpx.WSGITransport(secure.app, remote_addr="203.0.113.9")
    with httpx.Client(transport=transport) as http:
        url = f"{scheme}://auth.example.com/oauth/token"
        for _ in range(2):
            answer = http.post(url, data={**EXCHANGE, "subject_token": key.key})
            assert answer.status_code == status, answer.text
            assert key.key not in answer.text
    if status != 200:
        assert answer.json() == {
            "error": "invalid_request",
            "error_description": "An API key must be sent over https",
        }
    assert exposures(secure, key) == (("insecure_transport", 1) if status != 200 else (None, 0))


def test_where_the_issuer_is_http_a_key_is_exchanged_there(installation):
    data = {**EXCHANGE, "subject_token": installation.api_key().key}
    assert installation.http.post("/oauth/token", data=data).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/oauth/token?client_id=x&client_secret={}", 400),
        ("GET", "/oauth/token?client_secret={}", 405),
        ("POST", "/oauth/introspect?client_secret={}", 400),
        ("GET", "/v1/me?client_secret={}", 401),
    ],
)
def test_a_client_secret_in_the_url_is_refused_and_flagged(
    installation, caplog, method, path, status
):
    client, other = installation.client(), installation.client()
    caplog.set_level(logging.DEBUG)
    for _ in range(2):
        url = path.format(client.client_secret)
        answer = installation.http.request(method, url, data={"grant_type": "client_credentials"})
        assert answer.status_code == status
        assert client.client_secret not in answer.text
    installation.services.shipper.ship_now()
    ours = [record for record in caplog.records if not record.name.startswith("http")]
    assert client.client_secret not in " ".join(record.getMessage() for record in ours)
    secrets = {
        one: installation.http.get(
            f"/v1/clients/{one}/secrets",
            headers={"Authorization": f"Bearer {installation.api_key(['keyturn:*']).key}"},
        ).json()["data"]
        for one in (client.client_id, other.client_id)
    }
    assert secrets[client.client_id][0]["exposed_by"] == "in_query"
    assert secrets[client.client_id][0]["exposed_at"] is not None
    assert secrets[other.client_id][0]["exposed_at"] is None
    events = installation.rows(
        "SELECT id FROM audit_events WHERE type = 'client_secret.exposed' AND target_id = :id",
        id=client.client_id,
    )
    assert len(events) == 1
    # It still works where it belongs: its owner decides when it ends.
    data = {"grant_type": "client_credentials"}
    assert installation.http.post("/oauth/token", data=data, auth=client).status_code == 200
