"""What scope a token gets (RFC 6749 §3.3, CONTRACT §3)."""

import time

import pytest

from tests.support.tokens import read

CATALOGUE = {
    "bookings:read": (),
    "bookings:create": (),
    "bookings:cancel": (),
    "bookings:write": ("bookings:create",),
    "bookings:notes:read": (),
    "bookings:notes:write": ("bookings:notes:read",),
    "bookings:admin": ("bookings:write", "bookings:cancel"),
    "rooms:read": (),
    "rooms:write": (),
    "read:rooms": (),
    "https://api.example.com/auth/rooms.readonly": (),
    "bookings": (),
    "circle:a": ("circle:b",),
    "circle:b": ("circle:a",),
}


@pytest.fixture(scope="module")
def organization(installation):
    # In order, because what is implied must be declared: the circle is closed afterwards.
    made = installation.organization()
    for name, implies in CATALOGUE.items():
        if name != "circle:a":
            known = [one for one in implies if one != "circle:a"]
            installation.scope(name, implies=known, organization=made)
    installation.scope("circle:a", implies=["circle:b"], organization=made)
    return made


@pytest.fixture(scope="module")
def holding(installation, organization):
    """A client that holds these scopes, each made once."""
    made = {}

    def client(*scopes):
        if scopes not in made:
            made[scopes] = installation.client(list(scopes), organization=organization)
        return made[scopes]

    return client


@pytest.mark.rfc("6749", "3.3")
@pytest.mark.parametrize(
    ("held", "asked", "granted"),
    [
        # Nothing asked: all that is held.
        (["bookings:read"], None, "bookings:read"),
        (["rooms:read", "bookings:read"], None, "bookings:read rooms:read"),
        (["bookings:read"], "", "bookings:read"),
        # Narrowed to what was asked.
        (["rooms:read", "bookings:read"], "rooms:read", "rooms:read"),
        (["rooms:read", "bookings:read"], "rooms:read bookings:read", "bookings:read rooms:read"),
        (["bookings:read"], "bookings:read bookings:read", "bookings:read"),
        # Wildcards are expanded, one level or several, and never cover their own stem.
        (["rooms:*"], None, "rooms:read rooms:write"),
        (["bookings:notes:*"], None, "bookings:notes:read bookings:notes:write"),
        (
            ["bookings:*"],
            None,
            "bookings:admin bookings:cancel bookings:create bookings:notes:read "
            "bookings:notes:write bookings:read bookings:write",
        ),
        (["bookings:*"], "bookings:read", "bookings:read"),
        (["rooms:*"], "rooms:*", "rooms:read rooms:write"),
        (["bookings:*"], "bookings:notes:*", "bookings:notes:read bookings:notes:write"),
        # A wildcard asked for by somebody who holds all below it literally.
        (["rooms:read", "rooms:write"], "rooms:*", "rooms:read rooms:write"),
        # Implications, declared and transitive; what implies comes with what it implies.
        (["bookings:write"], None, "bookings:create bookings:write"),
        (["bookings:write"], "bookings:create", "bookings:create"),
        (["bookings:write"], "bookings:write", "bookings:create bookings:write"),
        (
            ["bookings:admin"],
            None,
            "bookings:admin bookings:cancel bookings:create bookings:write",
        ),
        (["circle:a"], None, "circle:a circle:b"),
        # Other forms of scope are taken literally.
        (["read:rooms"], None, "read:rooms"),
        (
            ["https://api.example.com/auth/rooms.readonly"],
            "https://api.example.com/auth/rooms.readonly",
            "https://api.example.com/auth/rooms.readonly",
        ),
        (["bookings"], None, "bookings"),
    ],
)
def test_granted(server, holding, held, asked, granted):
    form = {} if asked is None else {"scope": asked}
    response = server.ask(holding(*held), **form)
    assert response.status_code == 200, response.text
    assert response.json()["scope"] == granted
    claims = read(response.json()["access_token"], server).claims
    assert claims["scope"] == granted


@pytest.mark.rfc("6749", "5.2")
@pytest.mark.parametrize(
    ("held", "asked"),
    [
        # More than is held, all of it or some of it.
        (["bookings:read"], "rooms:read"),
        (["bookings:read"], "bookings:read rooms:read"),
        (["rooms:read"], "rooms:*"),
        (["bookings:notes:*"], "bookings:*"),
        (["bookings:notes:*"], "bookings:notes"),
        (["bookings:*"], "bookings"),
        (["bookings"], "bookings:read"),
        # `write` does not imply `read`: nobody declared that.
        (["bookings:write"], "bookings:read"),
        (["bookings:create"], "bookings:write"),
        # What does not exist.
        (["bookings:*"], "bookings:fly"),
        (["bookings:*"], "flights:*"),
        (["bookings:*"], "bookings:read flights:read"),
        (["bookings:read"], "Bookings:Read"),
        # The server's own administration.
        (["bookings:*"], "keyturn:*"),
        (["bookings:*"], "keyturn:clients:read"),
        # What is no scope at all.
        (["bookings:*"], "*"),
        (["bookings:*"], "*:*"),
        (["bookings:*"], "bookings:*:read"),
        (["bookings:*"], "book*"),
        (["bookings:*"], " "),
        (["bookings:*"], "bookings:read "),
        (["bookings:*"], " bookings:read"),
        (["bookings:*"], "bookings:read  bookings:create"),
        (["bookings:*"], "bookings:read,bookings:create"),
        (["bookings:*"], 'bookings:"read"'),
        (["bookings:*"], "bookings:re\\ad"),
        (["bookings:*"], "bookings:réad"),
        (["bookings:*"], "bookings:read\u2003bookings:create"),
        (["bookings:*"], "x" * 129),
        (["bookings:*"], " ".join(f"s{n}" for n in range(300))),
    ],
)
def test_refused(server, holding, held, asked):
    response = server.ask(holding(*held), scope=asked)
    found = response.json()
    if asked.isprintable():
        assert (response.status_code, found["error"]) == (400, "invalid_scope")
    else:
        assert (response.status_code, found["error"]) == (400, "invalid_request")
    assert "access_token" not in found


def test_a_refusal_does_not_say_what_exists(server, holding):
    client = holding("bookings:read")
    exists = server.ask(client, scope="rooms:read").json()
    does_not = server.ask(client, scope="rooms:fly").json()
    assert exists == does_not


def test_scopes_of_another_organization_do_not_exist(server, installation, holding):
    installation.organization(scopes=["elsewhere:read"])
    response = server.ask(holding("bookings:read"), scope="elsewhere:read")
    assert response.json()["error"] == "invalid_scope"


def test_a_scope_that_is_declared_later_comes_with_the_wildcard(server, installation):
    made = installation.organization(scopes=["a:one"])
    client = installation.client(["a:*"], organization=made)
    assert server.ask(client).json()["scope"] == "a:one"
    installation.scope("a:two", organization=made)
    deadline = time.monotonic() + 15
    while server.ask(client).json()["scope"] != "a:one a:two":
        assert time.monotonic() < deadline, "not seen"


def test_a_client_that_holds_nothing_gets_nothing(server, installation):
    made = installation.organization(scopes=["a:one"])
    client = installation.client(["a:one"], organization=made)
    installation.force_client(client.client_id, scopes=[])
    response = server.ask(client)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


def test_a_wildcard_over_a_catalogue_that_has_grown_too_large(server, installation):
    """What was small when it was granted may have become more than fits into a token: then the
    client has to name what it wants, instead of being handed a token that verifiers refuse."""
    made = installation.organization(scopes=["big:one"])
    client = installation.client(["big:*"], organization=made)
    for number in range(260):
        installation.scope(f"big:scope-{number:03}", organization=made)
    response = server.ask(client)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")
    assert server.ask(client, scope="big:one big:scope-259").status_code == 200


@pytest.mark.parametrize(
    "scope",
    [
        "+".join(f"a{n}:*" for n in range(8000)),
        "+".join("s:*" for _ in range(15000)),
        "+".join("bookings:*" for _ in range(5000)),
        ":" * 60000,
        "a:" * 30000,
        "*" * 60000,
        "+" * 60000,
    ],
    ids=lambda scope: scope[:12],
)
def test_a_monstrous_scope_costs_next_to_nothing(server, holding, scope):
    client = holding("bookings:*")
    server.token(client)
    started = time.monotonic()
    response = server.post(
        "/oauth/token",
        content=f"grant_type=client_credentials&scope={scope}",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        auth=client,
    )
    assert time.monotonic() - started < 10
    assert response.json()["error"] == "invalid_scope"


def test_narrowing_instead_of_refusing_is_a_setting(tmp_path):
    from tests.support.installation import installed

    with installed(tmp_path / "narrow", KEYTURN_SCOPE_EXCESS="narrow") as narrowing:
        client = narrowing.client(["bookings:read", "bookings:create"])

        def ask(scope):
            data = {"grant_type": "client_credentials", "scope": scope}
            return narrowing.http.post("/oauth/token", data=data, auth=client)

        # RFC 6749 §3.3: a scope that differs from the asked one is reported.
        assert ask("bookings:read reports:read").json()["scope"] == "bookings:read"
        assert ask("bookings:read flights:read").json()["scope"] == "bookings:read"
        assert ask("bookings:*").json()["scope"] == "bookings:create bookings:read"
        # Dropped to nothing is no grant.
        assert ask("reports:read").json()["error"] == "invalid_scope"
        assert ask("flights:read").json()["error"] == "invalid_scope"
