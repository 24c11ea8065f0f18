"""Decisions as tables: the pure functions behind a token's scope, audience and lifetime."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.builtin import administration
from app.errors import InvalidTarget, ScopeRefused
from app.policy.decide import audience, decide, lifetime, narrow, owners
from app.records import Client, Organization, Resource
from app.settings import Settings
from keyturn.scope import MAX_SCOPE_TOKENS, Catalogue, Declared, Grant, ScopeSet

CATALOGUE = Catalogue.of(
    Declared("b:read"),
    Declared("b:create"),
    Declared("b:write", implies=frozenset({"b:create"})),
    Declared("b:notes:read"),
    Declared("r:read"),
    *administration(operator=False).values(),
)
ALL_B = "b:create b:notes:read b:read b:write"
SETTINGS = Settings(issuer="https://auth.example.com")
DEFAULT = "https://auth.example.com"


def a_client(held="b:*", **also):
    values = {
        "client_id": "client_1",
        "organization_id": "org_1",
        "environment": "live",
        "grant": Grant.parse(held),
        "audiences": (),
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": frozenset({"client_credentials"}),
        "token_ttl": None,
        "status": "active",
        "secrets": (),
    }
    return Client(**values | also)


def an_organization(*resources, catalogue=CATALOGUE):
    return Organization(
        id="org_1",
        name="One",
        status="active",
        is_operator=False,
        environments=("live", "test"),
        catalogue=catalogue,
        resources=resources,
    )


def a_resource(identifier, scopes="", *environments):
    return Resource(identifier, Grant.parse(scopes), environments)


# Scope -------------------------------------------------------------------------------------------


@pytest.mark.rfc("6749", "3.3")
@pytest.mark.parametrize(
    ("held", "asked", "refusing", "narrowing"),
    [
        # held, asked, what a server that refuses excess grants, what one that narrows grants
        ("b:read", None, "b:read", "b:read"),
        ("b:read", "b:read", "b:read", "b:read"),
        ("b:read r:read", "r:read", "r:read", "r:read"),
        ("b:read", "r:read", None, None),
        ("b:read", "b:read r:read", None, "b:read"),
        ("b:read", "b:fly", None, None),
        ("b:read", "b:read b:fly", None, "b:read"),
        ("b:read", "b:*", None, "b:read"),
        ("b:*", "b:*", ALL_B, ALL_B),
        ("b:write", "b:create", "b:create", "b:create"),
        ("b:create", "b:write", None, "b:create"),
        ("b:read", "x:*", None, None),
        ("b:read", "b:read x:*", None, "b:read"),
        ("b:read", "*", None, None),
        ("b:read", 'b:"read', None, None),
        ("b:read", "b:read ", None, None),
        ("", None, None, None),
        ("", "b:read", None, None),
        ("x:read", None, None, None),
        ("b:*", "keyturn:clients:read", None, None),
        ("keyturn:*", "keyturn:introspect", "keyturn:introspect", "keyturn:introspect"),
        ("keyturn:*", "keyturn:signing-keys:write", None, None),
    ],
)
def test_narrow(held, asked, refusing, narrowing):
    expanded = CATALOGUE.expand(Grant.parse(held))
    for excess, granted in (("refuse", refusing), ("narrow", narrowing)):
        if granted is None:
            with pytest.raises(ScopeRefused):
                narrow(expanded, CATALOGUE, asked, excess=excess)
        else:
            assert str(narrow(expanded, CATALOGUE, asked, excess=excess)) == granted


names = st.sampled_from([*CATALOGUE.scopes, "b:*", "b:notes:*", "keyturn:*", "x:*", "x:y", "b"])
grants = st.frozensets(names, max_size=6).map(Grant.of)


@given(grants, st.none() | st.frozensets(names, max_size=6).map(" ".join))
def test_what_is_granted_was_held_and_exists(held, asked):
    expanded = CATALOGUE.expand(held)
    for excess in ("refuse", "narrow"):
        try:
            granted = narrow(expanded, CATALOGUE, asked, excess=excess)
        except ScopeRefused:
            continue
        assert granted
        assert granted <= expanded
        assert all(scope in CATALOGUE.scopes for scope in granted)
        assert "*" not in str(granted)
        if asked is not None:
            assert granted <= CATALOGUE.expand(Grant.parse(asked))


@given(grants, st.frozensets(names, min_size=1, max_size=6).map(" ".join))
def test_refusing_grants_what_was_asked_or_nothing(held, asked):
    expanded = CATALOGUE.expand(held)
    try:
        granted = narrow(expanded, CATALOGUE, asked)
    except ScopeRefused:
        return
    assert granted == CATALOGUE.expand(Grant.parse(asked))


def test_more_than_fits_into_a_token_is_refused():
    many = Catalogue.of(*(Declared(f"s:{n}") for n in range(MAX_SCOPE_TOKENS + 1)))
    with pytest.raises(ScopeRefused, match="ask for less"):
        narrow(many.expand(Grant.parse("s:*")), many, None)
    assert len(narrow(many.expand(Grant.parse("s:*")), many, "s:1 s:2")) == 2


# Audience ----------------------------------------------------------------------------------------

B = a_resource("https://b.example.com", "b:*")
R = a_resource("https://r.example.com", "r:read")
T = a_resource("https://t.example.com", "b:read", "test")
U = a_resource("urn:example:u")


@pytest.mark.rfc("8707", "2")
@pytest.mark.parametrize(
    ("audiences", "environment", "scope", "asked", "result"),
    [
        ((), "live", "b:read", (), (B,)),
        ((), "live", "b:read r:read", (), (B, R)),
        ((), "live", "b:notes:read", (), (B,)),
        ((), "live", "x:y", (), None),
        ((), "test", "b:read", (), (B, T)),
        ((), "live", "b:read", (R,), (R,)),
        ((), "live", "b:read", (R, B, R), (R, B)),
        ((), "live", "b:read", (U,), (U,)),
        ((), "test", "b:read", (T,), (T,)),
        ((R, U), "live", "b:read", (), (R,)),
        ((R, U), "live", "r:read", (), (R,)),
        ((R, U), "live", "r:read", (U,), (U,)),
        ((U, B), "live", "b:read", (), (B,)),
    ],
)
def test_audience(audiences, environment, scope, asked, result):
    found = audience(
        a_client(audiences=tuple(one.identifier for one in audiences), environment=environment),
        an_organization(B, R, T, U),
        ScopeSet.parse(scope),
        tuple(one.identifier for one in asked),
        DEFAULT,
    )
    assert found == ((DEFAULT,) if result is None else tuple(one.identifier for one in result))


@pytest.mark.rfc("8707", "2")
@pytest.mark.parametrize(
    ("audiences", "environment", "asked"),
    [
        ((), "live", "https://unknown.example.com"),
        ((), "live", "https://b.example.com/"),
        ((), "live", "https://B.example.com"),
        ((), "live", ""),
        ((), "live", T.identifier),
        ((R,), "live", B.identifier),
        ((R,), "live", DEFAULT),
    ],
)
def test_no_such_target(audiences, environment, asked):
    client = a_client(audiences=tuple(one.identifier for one in audiences), environment=environment)
    for resources in ((asked,), (R.identifier, asked)):
        with pytest.raises(InvalidTarget):
            audience(
                client, an_organization(B, R, T, U), ScopeSet.parse("b:read"), resources, DEFAULT
            )


def test_the_default_may_be_named_unless_the_client_is_tied_to_others():
    asked = (DEFAULT,)
    scope = ScopeSet.parse("b:read")
    assert audience(a_client(), an_organization(B), scope, asked, DEFAULT) == asked
    tied = a_client(audiences=(DEFAULT,))
    assert audience(tied, an_organization(B), scope, asked, DEFAULT) == asked


def test_owners_are_those_of_the_environment():
    scope = ScopeSet.parse("b:read")
    assert owners((B, R, T), scope, "live") == (B.identifier,)
    assert owners((B, R, T), scope, "test") == (B.identifier, T.identifier)
    assert owners((), scope, "live") == ()
    assert owners((B, R), ScopeSet(), "live") == ()


# Lifetime ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "default", "longest", "lasts"),
    [
        (None, 900, 86400, 900),
        (60, 900, 86400, 60),
        (3600, 900, 86400, 3600),
        # The installation's longest is lowered later: what a client was promised shrinks with it.
        (3600, 900, 1800, 1800),
    ],
)
def test_lifetime(own, default, longest, lasts):
    settings = Settings(
        token_ttl=timedelta(seconds=default), max_token_ttl=timedelta(seconds=longest)
    )
    client = a_client(token_ttl=None if own is None else timedelta(seconds=own))
    assert lifetime(client, settings) == timedelta(seconds=lasts)


# The whole ---------------------------------------------------------------------------------------


def test_decide():
    found = decide(a_client(), an_organization(B, R), SETTINGS, scope="b:read", resources=())
    assert (found.scope, found.audience, found.ttl) == ("b:read", (B.identifier,), 900)
    assert type(found.ttl) is int


def test_scope_is_decided_before_the_resource_is_looked_at():
    # One order, so that a client learns of one mistake at a time and of the same one each time.
    with pytest.raises(ScopeRefused):
        decide(a_client(), an_organization(B), SETTINGS, scope="x:y", resources=("https://x",))
