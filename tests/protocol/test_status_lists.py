"""Published status lists (draft-ietf-oauth-status-list, and ADR 13 for what each change means)."""

import threading
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from app import create_app
from app.admin import clients
from app.apikeys import endings, lifecycle, schedule, succession
from app.apikeys.values import ApiKeyChanges
from app.settings import Settings
from app.storage.models import RevokedTokenRow
from app.storage.revocations import MOST_OF_ONE_CLIENT
from app.wiring import services
from tests.support.statements import statements
from tests.support.status_lists import place_of, read_list, status_of
from tests.support.tokens import unverified

VALID, INVALID, SUSPENDED = 0, 1, 2
LISTS = "/oauth/status-lists"
EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}


def obtain(house, client):
    answer = house.http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=client)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def exchanged(house, key):
    answer = house.http.post("/oauth/token", data={**EXCHANGE, "subject_token": key.key})
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


@pytest.fixture
def asker(any_installation):
    return any_installation.client(["keyturn:introspect"])


@pytest.fixture
def house(any_installation, asker):
    """An installation whose answers about tokens are the same online and offline."""

    def standing(token):
        status = status_of(any_installation.http, token)
        answer = any_installation.http.post("/oauth/introspect", data={"token": token}, auth=asker)
        assert answer.json()["active"] == (status == VALID)
        return status

    any_installation.standing = standing
    return any_installation


# What a token says ----------------------------------------------------------------------------


def test_a_token_names_its_secret_and_no_two_secrets_are_named_alike(installation):
    first = installation.client()
    second = installation.secret(first.client_id)
    places = {
        place_of(obtain(installation, (first.client_id, secret)))
        for secret in (first.client_secret, first.client_secret, second.client_secret)
    }
    assert len(places) == 2
    assert unverified(obtain(installation, first))["status"].keys() == {"status_list"}


def test_a_key_is_named_by_its_tokens_and_by_introspection(installation):
    asker, key = installation.client(["keyturn:introspect"]), installation.api_key()
    answer = installation.http.post("/oauth/introspect", data={"token": key.key}, auth=asker)
    assert answer.json()["status"] == unverified(exchanged(installation, key))["status"]


# What each change means -----------------------------------------------------------------------


def _changed(house, key, **changes):
    lifecycle.update(house.desk, house.operator, key.id, ApiKeyChanges(**changes))


CLIENT_CHANGES = {
    "nothing": (lambda house, id, secret: None, VALID),
    "another secret beside it": (lambda house, id, secret: house.secret(id), VALID),
    "another secret, and a grace": (
        lambda house, id, secret: house.secret(id, grace_seconds=3600),
        VALID,
    ),
    "another secret, and no grace": (
        lambda house, id, secret: house.secret(id, grace_seconds=0),
        INVALID,
    ),
    "the secret ended": (lambda house, id, secret: house.end_secret(id, secret), INVALID),
    "the client disabled": (lambda house, id, secret: house.disable(id), SUSPENDED),
    "disabled and enabled": (
        lambda house, id, secret: (house.disable(id), house.enable(id)),
        VALID,
    ),
    "the secret ended, disabled and enabled": (
        lambda house, id, secret: (
            house.end_secret(id, secret),
            house.disable(id),
            house.enable(id),
        ),
        INVALID,
    ),
    "the client deleted": (
        lambda house, id, secret: clients.delete(house.desk, house.operator, id),
        INVALID,
    ),
}


@pytest.mark.parametrize("change", CLIENT_CHANGES)
def test_what_becomes_of_a_clients_tokens(house, change):
    client, other = house.client(), house.client()
    secret_id = house.rows(
        "SELECT id FROM client_secrets WHERE client_id = :id", id=client.client_id
    )[0].id
    token, others = obtain(house, client), obtain(house, other)
    assert house.standing(token) == VALID
    act, expected = CLIENT_CHANGES[change]
    act(house, client.client_id, secret_id)
    assert house.standing(token) == expected
    assert house.standing(others) == VALID


KEY_CHANGES = {
    "revoked": (
        lambda house, key: endings.revoke(house.desk, house.operator, key.id),
        INVALID,
    ),
    "revoked by possession": (
        lambda house, key: house.http.post("/oauth/revoke", data={"token": key.key}),
        INVALID,
    ),
    "all of its maker's revoked": (
        lambda house, key: endings.revoke_all(house.desk, house.operator, house.operator.id),
        INVALID,
    ),
    "disabled": (lambda house, key: _changed(house, key, status="disabled"), SUSPENDED),
    "disabled and enabled": (
        lambda house, key: (
            _changed(house, key, status="disabled"),
            _changed(house, key, status="active"),
        ),
        VALID,
    ),
    "rotated with a grace": (
        lambda house, key: succession.rotate(
            house.desk, house.operator, key.id, grace_seconds=3600
        ),
        VALID,
    ),
    "rotated without": (
        lambda house, key: succession.rotate(house.desk, house.operator, key.id, grace_seconds=0),
        INVALID,
    ),
    "replaced": (
        lambda house, key: succession.replace(house.desk, house.operator, key.id),
        INVALID,
    ),
    "renamed": (lambda house, key: _changed(house, key, name="new"), VALID),
}


@pytest.mark.parametrize("change", KEY_CHANGES)
def test_what_becomes_of_a_keys_tokens(house, change):
    key = house.api_key()
    token = exchanged(house, key)
    assert house.standing(token) == VALID
    act, expected = KEY_CHANGES[change]
    act(house, key)
    assert house.standing(token) == expected


def test_the_end_of_a_keys_grace(house):
    """What introspection says at once, the list says once the end is written down."""
    key = house.api_key()
    token = exchanged(house, key)
    succession.rotate(house.desk, house.operator, key.id, grace_seconds=3600)
    with house.desk.store.transaction(house.operator) as work:
        row = lifecycle.locked(work, house.organization_id, key.id)
        row.expires_at = work.now - timedelta(seconds=1)
    schedule.write_down_ends(house.desk.store)
    assert house.standing(token) == INVALID


def test_an_organization_is_suspended_and_resumed(house):
    """Whatever else was stopped stays so."""
    own = house.organization(scopes=["bookings:read"])
    running, stopped, ended = (house.client(organization=own) for _ in range(3))
    key = house.api_key(organization=own)
    secret_id = house.rows(
        "SELECT id FROM client_secrets WHERE client_id = :id", id=ended.client_id
    )[0].id
    tokens = [obtain(house, one) for one in (running, stopped, ended)] + [exchanged(house, key)]
    house.disable(stopped.client_id, organization=own)
    house.end_secret(ended.client_id, secret_id, organization=own)

    def standings():
        return [status_of(house.http, token) for token in tokens]

    assert standings() == [VALID, SUSPENDED, INVALID, VALID]
    house.suspend(own)
    assert standings() == [SUSPENDED, SUSPENDED, INVALID, SUSPENDED]
    house.resume(own)
    assert standings() == [VALID, SUSPENDED, INVALID, VALID]


@pytest.mark.rfc("7009", "2.1")
def test_one_token_is_revoked(house):
    client = house.client()
    token, other = obtain(house, client), obtain(house, client)
    uri, _ = place_of(token)
    assert "revoked_jtis" not in read_list(house.http, uri)
    assert house.http.post("/oauth/revoke", data={"token": token}, auth=client).status_code == 200
    claims = read_list(house.http, uri)
    assert claims["revoked_jtis"] == [unverified(token)["jti"]]
    assert [status_of(house.http, one) for one in (token, other)] == [VALID, VALID]


def test_one_client_cannot_fill_the_lists(fresh_installation):
    installation = fresh_installation
    client = installation.client()
    token = obtain(installation, client)
    later = datetime.now(UTC) + timedelta(seconds=600)
    with installation.desk.store.transaction(installation.operator) as work:
        for n in range(MOST_OF_ONE_CLIENT):
            work.session.add(
                RevokedTokenRow(
                    jti=f"full-{n}",
                    client_id=client.client_id,
                    list_number=1,
                    revoked_at=work.now,
                    expires_at=later,
                )
            )
    refused = installation.http.post("/oauth/revoke", data={"token": token}, auth=client)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 600


# How lists are published ----------------------------------------------------------------------


def test_the_document(server, installation):
    uri, _ = place_of(server.token(installation.client()))
    answer = server.get(uri)
    assert answer.headers["Content-Type"] == "application/statuslist+jwt"
    assert answer.headers["Cache-Control"] == "public, max-age=5"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert jwt.get_unverified_header(answer.text)["typ"] == "statuslist+jwt"
    claims = read_list(server, uri)
    assert (claims["iss"], claims["sub"], claims["ttl"]) == (server.url, uri, 5)
    assert claims["exp"] == claims["iat"] + 900
    assert set(claims["status_list"]) == {"bits", "lst", "aggregation_uri"}
    assert len(answer.content) < 1000  # of 131,072 places, nearly all of them the same


def test_where_the_lists_are(server, installation):
    uri, _ = place_of(server.token(installation.client()))
    metadata = server.get("/.well-known/oauth-authorization-server").json()
    answer = server.get(metadata["status_list_aggregation_endpoint"])
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"status_lists": [uri]}
    assert read_list(server, uri)["status_list"]["aggregation_uri"] == server.url + LISTS


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/0", 404),
        ("/2", 404),
        ("/99999999999", 404),
        ("/x", 404),
        ("/1/", 404),
        ("/1?time=1", 501),
    ],
)
def test_what_there_is_not(server, path, status):
    assert server.get(LISTS + path).status_code == status
    assert server.post(f"{LISTS}/1").status_code == 405


def test_the_same_bytes_until_something_changes(house):
    client = house.client()
    token = obtain(house, client)
    uri, _ = place_of(token)
    first = house.http.get(uri)
    known = {"If-None-Match": first.headers["ETag"]}
    for _ in range(2):
        again = house.http.get(uri, headers=known)
        assert (again.status_code, again.content) == (304, b"")
    house.client()  # one more that is valid: the list says nothing else
    assert house.http.get(uri).content == first.content
    house.disable(client.client_id)
    changed = house.http.get(uri, headers=known)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
    before, now = (
        jwt.decode(one.text, options={"verify_signature": False}) for one in (first, changed)
    )
    assert now["version"] > before["version"]


def test_nodes_that_say_the_same_have_one_etag(installation):
    installation.client()
    node = create_app(Settings.from_env(installation.environ))
    other = services(node).status_lists.signed(1)
    services(node).store.engine.dispose()
    mine = installation.services.status_lists.signed(1)
    assert mine is not other
    assert mine.etag == other.etag


def test_asking_reads_no_database(installation):
    uri, _ = place_of(obtain(installation, installation.client()))
    installation.http.get(uri)
    with statements(installation) as made:
        for _ in range(3):
            assert installation.http.get(uri).status_code == 200
            assert installation.http.get(LISTS).status_code == 200
    assert made == []


def test_a_rotated_signing_key_signs_the_lists(fresh_installation):
    house = fresh_installation
    token = obtain(house, house.client())
    kids = set()
    for _ in range(2):
        assert status_of(house.http, token) == VALID
        kids.add(jwt.get_unverified_header(house.http.get(place_of(token)[0]).text)["kid"])
        house.rotate_signing_key()
    assert len(kids) == 2


def test_creators_at_once(any_installation):
    """Each credential has a place of its own, whoever makes others meanwhile."""
    house, failed = any_installation, []

    def create():
        try:
            for _ in range(5):
                house.client()
                house.api_key()
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    rows = house.rows("SELECT kind, list_number, position FROM status_entries")
    assert len({(row.list_number, row.position) for row in rows}) == len(rows) == 60
