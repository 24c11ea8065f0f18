"""For whom a token is meant: ``resource`` and ``audience`` (RFC 8707, CONTRACT §4)."""

import pytest

from tests.support.tokens import read

BOOKINGS = "https://bookings.example.com"
ROOMS = "https://rooms.example.com/v1"
TESTING = "https://sandbox.example.com"
URN = "urn:example:ledger"
DEFAULT = "the issuer"


@pytest.fixture(scope="module")
def organization(installation):
    made = installation.organization(scopes=["bookings:read", "rooms:read", "misc:read"])
    add = installation.resource
    add(BOOKINGS, scopes=["bookings:*"], organization=made)
    add(ROOMS, scopes=["rooms:read"], organization=made)
    add(TESTING, scopes=["misc:read"], environments=["test"], organization=made)
    add(URN, organization=made)
    elsewhere = installation.organization(scopes=["a:b"])
    add("https://elsewhere.example.com", organization=elsewhere)
    return made


@pytest.fixture(scope="module")
def clients(installation, organization):
    everything = ["bookings:read", "rooms:read", "misc:read"]

    def client(**also):
        return installation.client(everything, organization=organization, **also)

    return {
        "any": client(),
        "only rooms": client(audiences=[ROOMS]),
        "two": client(audiences=[ROOMS, URN]),
        "tester": client(environment="test"),
    }


def audience(server, client, pairs, **form):
    data = {"grant_type": "client_credentials", **form}
    for name, value in pairs:
        data.setdefault(name, []).append(value)
    response = server.post("/oauth/token", data=data, auth=client)
    if response.status_code != 200:
        assert response.status_code == 400, response.text
        return response.json()["error"]
    found = read(response.json()["access_token"], server).claims["aud"]
    return DEFAULT if found == server.url else found


@pytest.mark.rfc("8707", "2.2")
@pytest.mark.parametrize(
    ("who", "scope", "asked", "aud"),
    [
        # Named: exactly that, one as a string and several as an array, in order, once each.
        ("any", None, [("resource", BOOKINGS)], BOOKINGS),
        ("any", None, [("audience", BOOKINGS)], BOOKINGS),
        ("any", None, [("resource", ROOMS), ("resource", BOOKINGS)], [ROOMS, BOOKINGS]),
        ("any", None, [("audience", ROOMS), ("audience", URN)], [ROOMS, URN]),
        ("any", None, [("resource", ROOMS), ("audience", ROOMS)], ROOMS),
        ("any", None, [("resource", ROOMS), ("resource", ROOMS)], ROOMS),
        ("any", None, [("resource", URN)], URN),
        ("any", "bookings:read", [("resource", ROOMS)], ROOMS),
        ("tester", None, [("resource", TESTING)], TESTING),
        # Not named: whoever owns the granted scopes, else the default.
        ("any", "bookings:read", [], BOOKINGS),
        ("any", "rooms:read", [], ROOMS),
        ("any", "bookings:read rooms:read", [], [BOOKINGS, ROOMS]),
        ("any", "misc:read", [], DEFAULT),
        ("tester", "misc:read", [], TESTING),
        # A client of certain audiences stays among them.
        ("only rooms", None, [], ROOMS),
        ("only rooms", "rooms:read", [], ROOMS),
        ("only rooms", "bookings:read", [], ROOMS),
        ("only rooms", None, [("resource", ROOMS)], ROOMS),
        ("two", None, [("resource", URN)], URN),
        ("two", "misc:read", [], ROOMS),
    ],
)
def test_audience(server, clients, who, scope, asked, aud):
    form = {} if scope is None else {"scope": scope}
    assert audience(server, clients[who], asked, **form) == aud


@pytest.mark.rfc("8707", "2")
@pytest.mark.parametrize(
    ("who", "asked"),
    [
        ("any", [("resource", "https://unknown.example.com")]),
        ("any", [("audience", "https://unknown.example.com")]),
        ("any", [("resource", BOOKINGS), ("resource", "https://unknown.example.com")]),
        # Equality, never likeness.
        ("any", [("resource", BOOKINGS + "/")]),
        ("any", [("resource", BOOKINGS + "/v1")]),
        ("any", [("resource", BOOKINGS + "?x")]),
        ("any", [("resource", BOOKINGS + "#x")]),
        ("any", [("resource", BOOKINGS.upper())]),
        ("any", [("resource", BOOKINGS[:-1])]),
        ("any", [("resource", "bookings.example.com")]),
        ("any", [("resource", f"{BOOKINGS} {ROOMS}")]),
        ("any", [("resource", f"{BOOKINGS},{ROOMS}")]),
        ("any", [("resource", "*")]),
        ("any", [("resource", "x" * 5000)]),
        # Another organization's, another environment's, not among the client's.
        ("any", [("resource", "https://elsewhere.example.com")]),
        ("any", [("resource", TESTING)]),
        ("only rooms", [("resource", BOOKINGS)]),
        ("only rooms", [("resource", ROOMS), ("resource", BOOKINGS)]),
    ],
)
def test_no_such_target(server, clients, who, asked):
    assert audience(server, clients[who], asked) == "invalid_target"


def test_the_default_audience_may_be_named_too(server, clients):
    assert audience(server, clients["any"], [("resource", server.url)]) == DEFAULT
    assert audience(server, clients["only rooms"], [("resource", server.url)]) == "invalid_target"


def test_another_default_audience_is_a_setting(tmp_path):
    from tests.support.installation import installed
    from tests.support.tokens import unverified

    api = "https://api.example.com"
    with installed(tmp_path / "default", KEYTURN_DEFAULT_AUDIENCE=api) as other:
        client = other.client()
        form = {"grant_type": "client_credentials"}
        response = other.http.post("/oauth/token", data=form, auth=client)
        claims = unverified(response.json()["access_token"])
        assert claims["aud"] == api
        assert claims["iss"] != api


def test_many_resources_at_once_are_refused_quickly(server, clients):
    pairs = [("resource", f"https://r{n}.example.com") for n in range(60)]
    assert audience(server, clients["any"], pairs) == "invalid_target"
