"""POST /oauth/introspect (RFC 7662): what a resource server is told, and who is told nothing."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from app.oauth import credentials as oauth
from keyturn.errors import InvalidToken, Reason
from tests.support.installation import Credentials, Key
from tests.support.served import eventually
from tests.support.tokens import unverified

INACTIVE = {"active": False}


class World:
    """Two organizations, each with an API that introspects and a client that is introspected."""

    def __init__(self, installation):
        self.own = installation.organization("Own", scopes=["bookings:read", "bookings:create"])
        self.other = installation.organization("Other", scopes=["bookings:read"])
        make = installation.client
        self.api = make(["keyturn:introspect"], organization=self.own)
        self.client = make(["bookings:read"], organization=self.own)
        self.tester = make(["bookings:read"], organization=self.own, environment="test")
        self.stranger = make(["bookings:read"], organization=self.other)
        self.other_api = make(["keyturn:introspect"], organization=self.other)
        self.operator_api = make(["keyturn:introspect"])
        self.overseer = make(["keyturn:introspect", "keyturn:organizations:read"])
        self.key = installation.api_key(["bookings:read"], organization=self.own)


@pytest.fixture(scope="module")
def world(installation):
    return World(installation)


@pytest.fixture
def ask(server, world):
    """The answer about a token or key, asked by an API of its own organization."""

    def introspect(presented, *, by=None, **also):
        text = presented.key if isinstance(presented, Key) else presented
        data = {"token": text, **also}
        return server.post("/oauth/introspect", data=data, auth=by or world.api)

    return introspect


# Active ------------------------------------------------------------------------------------------


@pytest.mark.rfc("7662", "2.2")
def test_a_good_token(server, world, ask):
    token = server.token(world.client)
    response = ask(token)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    claims = unverified(token)
    assert response.json() == {
        "active": True,
        "token_type": "Bearer",
        "credential": "client",
        **claims,
    }
    for name in ("client_id", "sub", "scope", "exp", "iat", "iss", "aud", "jti", "token_type"):
        assert name in response.json()
    assert type(response.json()["active"]) is bool
    assert type(response.json()["exp"]) is int


@pytest.mark.rfc("7662", "2.2")
def test_a_good_key(server, world, ask, installation):
    body = ask(world.key).json()
    assert body["active"] is True
    assert body["credential"] == "api_key"
    assert body["sub"] == body["client_id"] == body["jti"] == world.key.id
    assert body["scope"] == "bookings:read"
    assert body["iss"] == server.url
    assert body["aud"] == server.url
    assert body["org"] == world.own
    assert body["env"] == "live"
    assert body["token_type"] == "Bearer"
    assert type(body["iat"]) is int
    assert "exp" not in body  # it has no end
    assert world.key.key not in str(body)


def test_a_key_with_an_end_says_when(world, ask, installation):
    key = installation.api_key(["bookings:read"], organization=world.own, expires_in=3600)
    body = ask(key).json()
    assert body["active"] is True
    assert abs(body["exp"] - time.time() - 3600) < 60


def test_a_key_says_from_where_it_may_come(world, ask, installation):
    key = installation.api_key(
        ["bookings:read"],
        organization=world.own,
        allowed_ips=["192.0.2.0/24"],
        allowed_domains=["*.example.com"],
    )
    body = ask(key).json()
    assert body["allowed_ips"] == ["192.0.2.0/24"]
    assert body["allowed_domains"] == ["*.example.com"]


@pytest.mark.row("S2-59")
def test_it_says_how_often_the_credential_may_be_used(server, ask, installation):
    """The limits that hold of all there are, so that an API can count by itself (C-17)."""
    limited = installation.organization("Limited", scopes=["bookings:read"])
    installation.change_organization(limited, profile="experiencelocal")
    by = installation.client(["keyturn:introspect"], organization=limited)
    client = installation.client(["bookings:read"], organization=limited)
    keys = [
        installation.api_key(
            ["bookings:read"], organization=limited, environment="live", rate_limits=own
        )
        for own in ((), ["5/day", "2/minute:widget"])
    ]
    defaults = [
        {"limit": 30, "window": "minute", "class": "booking"},
        {"limit": 100, "window": "day", "class": "booking"},
        {"limit": 60, "window": "minute", "class": "validation"},
        {"limit": 100, "window": "minute", "class": "widget"},
    ]
    told = [ask(one, by=by).json()["rate_limits"] for one in (server.token(client), *keys)]
    assert told == [
        defaults,
        defaults,
        [
            {"limit": 5, "window": "day", "class": None},
            {"limit": 2, "window": "minute", "class": "widget"},
        ],
    ]


def test_a_token_of_the_other_environment_says_so(server, world, ask):
    assert ask(server.token(world.tester)).json()["env"] == "test"


@pytest.mark.rfc("7662", "2.1")
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "api_key", "nonsense"])
def test_the_hint_is_only_a_hint(server, world, ask, hint):
    assert ask(server.token(world.client), token_type_hint=hint).json()["active"] is True
    assert ask(world.key, token_type_hint=hint).json()["active"] is True


# Inactive: exactly {"active": false}, whatever the reason -----------------------------------------


def segments(token):
    return token.split(".")


@pytest.fixture
def forged(server, world):
    """Texts that are no good token: by name."""
    token = server.token(world.client)
    header, payload, signature = segments(token)
    return {
        "nonsense": "nonsense",
        "a blank": " ",
        "one dot": "a.b",
        "two dots": "..",
        "three dots": "a.b.c.d",
        "five parts": "a.b.c.d.e",
        "without signature": f"{header}.{payload}.",
        "another's signature": f"{header}.{payload}.{segments(server.token(world.tester))[2]}",
        "signature cut": f"{header}.{payload}.{signature[:-2]}",
        "payload of another": f"{header}.{segments(server.token(world.tester))[1]}.{signature}",
        "a blank in front": " " + token,
        "a blank behind": token + " ",
        "padded": token + "=",
        "as a header": "Bearer " + token,
        "oversized": "x" * 20000,
        "oversized with dots": "x" * 20000 + "." + "y" * 20000 + "." + "z" * 20000,
        "a key's look-alike": "kt_live_" + "0" * 32 + "_000000",
        "a key with another environment": "kt_test_" + "0" * 32 + "_000000",
        "part of a key": world.key.key[:-1],
        "a key and more": world.key.key + "x",
        "upper case": world.key.key.upper(),
        "a client secret": world.client.client_secret,
        "a client id": world.client.client_id,
        "a key id": world.key.id,
        "not ASCII": "é" * 10,
    }


FORGED = [
    "nonsense",
    "a blank",
    "one dot",
    "two dots",
    "three dots",
    "five parts",
    "without signature",
    "another's signature",
    "signature cut",
    "payload of another",
    "a blank in front",
    "a blank behind",
    "padded",
    "as a header",
    "oversized",
    "oversized with dots",
    "a key's look-alike",
    "a key with another environment",
    "part of a key",
    "a key and more",
    "upper case",
    "a client secret",
    "a client id",
    "a key id",
    "not ASCII",
]


@pytest.mark.rfc("7662", "2.2")
@pytest.mark.parametrize("case", FORGED)
def test_what_is_no_good_token_is_inactive(forged, ask, case):
    response = ask(forged[case])
    assert (response.status_code, response.json()) == (200, INACTIVE)


def test_the_list_above_is_complete(forged):
    assert list(forged) == FORGED


def test_a_client_without_standing_makes_its_tokens_inactive(server, world, ask, installation):
    client = installation.client(["bookings:read"], organization=world.own)
    token = server.token(client)
    assert ask(token).json()["active"] is True
    installation.disable(client.client_id, organization=world.own)
    eventually(lambda: ask(token).json() == INACTIVE, timeout=1)
    installation.enable(client.client_id, organization=world.own)
    eventually(lambda: ask(token).json()["active"], timeout=1)
    installation.delete_client(client.client_id)
    eventually(lambda: ask(token).json() == INACTIVE, timeout=1)


def test_a_suspended_organization_makes_everything_inactive(server, world, ask, installation):
    organization = installation.organization(scopes=["a:b"])
    client = installation.client(["a:b"], organization=organization)
    key = installation.api_key(["a:b"], organization=organization)
    token = server.token(client)
    for one in (token, key):
        assert ask(one, by=world.overseer).json()["active"] is True
    installation.suspend(organization)
    for one in (token, key):
        eventually(lambda one=one: ask(one, by=world.overseer).json() == INACTIVE, timeout=1)


def test_a_key_that_is_revoked(world, ask, installation):
    key = installation.api_key(["bookings:read"], organization=world.own)
    assert ask(key).json()["active"] is True
    installation.revoke_key(key.id, organization=world.own)
    eventually(lambda: ask(key).json() == INACTIVE, timeout=1)


def test_a_token_that_was_checked_before_expires(installation):
    """Its signature is not looked at again, its time is."""
    services, client = installation.services, installation.client()
    token = installation.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=client
    ).json()["access_token"]
    now = datetime.now(UTC)
    credentials = oauth.Credentials(
        services.settings,
        services.directory,
        services.keyring,
        services.credentials._status_lists,
        lambda: now,
    )
    assert [credentials.token(token).claims.client_id for _ in range(2)] == [client.client_id] * 2
    now += services.settings.token_ttl + timedelta(minutes=1)
    with pytest.raises(InvalidToken) as refused:
        credentials.token(token)
    assert refused.value.reason == Reason.EXPIRED


def test_a_key_whose_time_is_over(server, world, ask, installation):
    key = installation.api_key(["bookings:read"], organization=world.own, expires_in=1)
    over_at = datetime.now(UTC) + timedelta(seconds=1.1)
    while datetime.now(UTC) < over_at:
        time.sleep(0.05)  # what is waited for is the clock itself
    assert ask(key).json() == INACTIVE


# Who may ask -------------------------------------------------------------------------------------


@pytest.mark.rfc("7662", "2.1")
@pytest.mark.parametrize(
    ("who", "status", "error"),
    [
        (None, 401, "invalid_client"),
        (Credentials("nobody", "nothing"), 401, "invalid_client"),
        ("client", 403, "insufficient_scope"),
    ],
)
def test_who_may_not_ask(server, world, who, status, error):
    caller = getattr(world, who) if isinstance(who, str) else who
    for presented in (server.token(world.client), "nonsense"):
        response = server.post("/oauth/introspect", data={"token": presented}, auth=caller)
        assert (response.status_code, response.json()["error"]) == (status, error)
        assert "active" not in response.json()


def test_a_bearer_token_is_no_authentication_here(server, world):
    token = server.token(world.api)
    headers = {"Authorization": f"Bearer {token}"}
    response = server.post("/oauth/introspect", data={"token": token}, headers=headers)
    assert response.status_code == 401


@pytest.mark.rfc("7662", "4")
@pytest.mark.parametrize("asker", ["other_api", "operator_api"])
def test_another_organizations_tokens_do_not_exist(server, world, ask, asker):
    by = getattr(world, asker)
    assert ask(server.token(world.client), by=by).json() == INACTIVE
    assert ask(world.key, by=by).json() == INACTIVE


def test_the_operator_sees_all_where_it_may_read_all_organizations(server, world, ask):
    assert ask(server.token(world.client), by=world.overseer).json()["active"] is True
    assert ask(world.key, by=world.overseer).json()["active"] is True


@pytest.mark.rfc("7662", "2.1")
def test_the_token_is_required_and_only_from_the_body(server, world):
    for data in ({}, {"token": ""}):
        response = server.post("/oauth/introspect", data=data, auth=world.api)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    token = server.token(world.client)
    response = server.get("/oauth/introspect", params={"token": token}, auth=world.api)
    assert response.status_code == 405
    response = server.post("/oauth/introspect", params={"token": token}, auth=world.api)
    assert response.status_code == 400


def test_two_tokens_at_once_are_refused(server, world):
    data = {"token": [server.token(world.client), "x"]}
    response = server.post("/oauth/introspect", data=data, auth=world.api)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_a_key_with_a_wrong_checksum_is_refused_without_a_look_up(fresh_installation):
    from tests.support.statements import statements

    api = fresh_installation.client(["keyturn:introspect"])
    key = fresh_installation.api_key().key
    http = fresh_installation.http

    def ask(presented):
        return http.post("/oauth/introspect", data={"token": presented}, auth=api).json()

    assert ask(key)["active"] is True
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    with statements(fresh_installation) as made:
        assert ask(wrong) == INACTIVE
    assert made == []


ENDS = {
    "revoked": lambda world, at, key: at.revoke_key(key.id, organization=world.own),
    "disabled": lambda world, at, key: at.suspend(world.own),
}


@pytest.mark.parametrize("reason", ENDS)
def test_why_a_whole_key_is_inactive_is_told_to_its_own_api_if_it_asks(fresh_installation, reason):
    world = World(fresh_installation)

    def ask(presented, by, **also):
        data = {"token": presented, **also}
        return fresh_installation.http.post("/oauth/introspect", data=data, auth=by).json()

    key = world.key.key
    ENDS[reason](world, fresh_installation, world.key)
    asking = {"include_reason": "true"}
    # A suspended organization's own clients cannot ask any more.
    own = world.api if reason == "revoked" else world.overseer
    assert ask(key, own, **asking) == {"active": False, "reason": reason}
    assert ask(key, own) == ask(key, own, include_reason="1") == INACTIVE
    for stranger in (world.other_api, world.operator_api):
        assert ask(key, stranger, **asking) == INACTIVE
    slipped = key[:-1] + ("0" if key[-1] != "0" else "1")
    for nothing in (slipped, key[:-7], "kt_live_" + "0" * 32, "opaque"):
        assert ask(nothing, own, **asking) == INACTIVE
