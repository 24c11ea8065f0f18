"""The laws of the scope algebra, and what is no scope (RFC 6749 §3.3)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn import Catalogue, Declared, Grant, InvalidScope, ScopeSet
from keyturn.scope import MAX_SCOPE_LENGTH, MAX_SCOPE_TOKENS, MAX_TOKEN_LENGTH

SEGMENTS = st.sampled_from(["a", "b", "c", "bookings", "read", "write"])
NAMES = st.lists(SEGMENTS, min_size=1, max_size=4).map(":".join)
ANY_TOKEN = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'),
    min_size=1,
    max_size=40,
)
SCOPES = st.builds(ScopeSet.of, st.sets(st.one_of(ANY_TOKEN, NAMES), max_size=20))
GRANTS = st.builds(Grant.of, st.sets(st.one_of(NAMES, NAMES.map(lambda n: n + ":*")), max_size=8))


@st.composite
def catalogues(draw):
    names = sorted(draw(st.sets(NAMES, max_size=12)))
    implied = st.frozensets(st.sampled_from(names) if names else NAMES, max_size=3)
    return Catalogue.of(*(Declared(name, implies=draw(implied)) for name in names))


@given(SCOPES)
def test_a_scope_survives_its_string(scope):
    assert ScopeSet.parse(str(scope)) == scope
    assert list(scope) == sorted(scope.tokens)


@given(SCOPES, SCOPES)
def test_narrowing_never_widens(asked, ceiling):
    narrowed = asked.narrowed_to(ceiling)
    assert narrowed <= asked
    assert narrowed <= ceiling
    assert narrowed.narrowed_to(ceiling) == narrowed
    assert narrowed | asked == asked


@given(SCOPES, SCOPES)
def test_what_is_taken_away_is_gone(scope, other):
    rest = scope.without(other)
    assert not rest.narrowed_to(other)
    assert rest | scope.narrowed_to(other) == scope
    assert len(rest) + len(scope.narrowed_to(other)) == len(scope)


@pytest.mark.rfc("6749", "3.3")
@pytest.mark.parametrize(
    "text",
    [
        " ", " a", "a ", "a  b", "a\tb", "a\nb", "a\n", 'a"b', "a\\b", "a\x00b", "é",
        "a\x7f", "a\u2028b",
        "a" * (MAX_TOKEN_LENGTH + 1),
        "a " * (MAX_SCOPE_LENGTH // 2) + "a",
        " ".join(f"s{n}" for n in range(MAX_SCOPE_TOKENS + 1)),
    ],
)  # fmt: skip
def test_what_is_no_scope(text):
    with pytest.raises(InvalidScope) as refused:
        ScopeSet.parse(text)
    assert refused.value.code == "invalid_scope"
    # What an error_description may hold (RFC 6749 §5.2), whatever was sent.
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", refused.value.description)
    with pytest.raises(InvalidScope):
        Grant.parse(text)


def test_the_limits_themselves_are_allowed():
    assert len(ScopeSet.parse("a" * MAX_TOKEN_LENGTH)) == 1
    assert len(ScopeSet.of(f"s{n}" for n in range(MAX_SCOPE_TOKENS))) == MAX_SCOPE_TOKENS


def test_a_repeated_token_counts_once():
    assert str(ScopeSet.parse("b a b")) == "a b"
    assert ScopeSet.parse("") == ScopeSet() == ScopeSet.of([])


@pytest.mark.parametrize("token", ["*", ":*", "a*", "*:read", "a:*:b", "a:**", "a:*:*", "a*:b"])
def test_a_wildcard_is_the_last_segment_or_nothing(token):
    with pytest.raises(InvalidScope):
        Grant.parse(token)


@pytest.mark.parametrize(
    ("grant", "scope", "covered"),
    [
        ("bookings:*", "bookings:read", True),
        ("bookings:*", "bookings:notes:write", True),
        ("bookings:*", "bookings", False),
        ("bookings:*", "bookings:", False),
        ("bookings:*", "bookingsx:read", False),
        ("bookings:*", "Bookings:read", False),
        ("bookings:*", "bookings:*", False),
        ("a:b:*", "a:c", False),
        ("read write", "read", True),
        ("read", "readwrite", False),
        ("", "read", False),
    ],
)
def test_what_a_grant_covers(grant, scope, covered):
    assert Grant.parse(grant).covers(scope) is covered


@pytest.mark.parametrize(
    ("held", "given", "contained"),
    [
        ("bookings:*", "bookings:read bookings:a:b", True),
        ("bookings:*", "bookings:*", True),
        ("bookings:*", "bookings:notes:*", True),
        ("bookings:notes:*", "bookings:*", False),
        ("bookings:read bookings:write", "bookings:*", False),
        ("bookings:*", "bookings", False),
        ("bookings:*", "book:*", False),
        ("book:*", "bookings:*", False),
        ("a:* b:*", "a:x b:y:*", True),
        ("a:*", "a:x c", False),
        ("", "", True),
    ],
)
def test_nobody_gives_what_they_do_not_hold(held, given, contained):
    assert Grant.parse(held).contains(Grant.parse(given)) is contained


@given(GRANTS, GRANTS, NAMES)
def test_what_is_contained_covers_no_more(held, given, name):
    if held.contains(given) and given.covers(name):
        assert held.covers(name)
    assert (held | given).contains(given)
    assert held.contains(held)


@given(GRANTS)
def test_a_grant_survives_its_string(grant):
    assert Grant.parse(str(grant)) == grant


@given(catalogues(), GRANTS, GRANTS)
def test_expansion_follows_containment(catalogue, held, given):
    if held.contains(given):
        assert catalogue.expand(given) <= catalogue.expand(held)
    assert catalogue.expand(held) | catalogue.expand(given) == catalogue.expand(held | given)


@given(catalogues(), GRANTS)
def test_expansion_is_flat_declared_and_closed(catalogue, grant):
    expanded = catalogue.expand(grant)
    assert all(name in catalogue and "*" not in name for name in expanded)
    assert all(name in expanded for name in catalogue.scopes if grant.covers(name))
    for name in expanded:
        implied = catalogue.scopes[name].implies
        assert implied <= expanded.tokens
        assert grant.covers(name) or any(name in catalogue.scopes[n].implies for n in expanded)
    # Expanding what was expanded changes nothing: the set in a token is final.
    assert catalogue.expand(Grant.of(expanded)) == expanded


@given(catalogues(), GRANTS)
def test_unknown_is_what_covers_nothing(catalogue, grant):
    unknown = catalogue.unknown(grant)
    for token in grant:
        assert (token in unknown) is not any(map(Grant.of([token]).covers, catalogue.scopes))
    if unknown:
        with pytest.raises(InvalidScope) as refused:
            catalogue.require_known(grant)
        assert all(token in refused.value.description for token in unknown)
    else:
        catalogue.require_known(grant)


def test_implications_may_be_circular_and_dangling():
    catalogue = Catalogue.of(
        Declared("a", implies=frozenset({"b"})),
        Declared("b", implies=frozenset({"c"})),
        Declared("c", implies=frozenset({"a", "gone"})),
        Declared("d"),
    )
    assert str(catalogue.expand(Grant.parse("b"))) == "a b c"
    assert str(catalogue.expand(Grant.parse("gone"))) == ""


@pytest.mark.row("C-22")
def test_scopes_need_no_colon():
    catalogue = Catalogue.of(Declared("read"), Declared("write", implies=frozenset({"read"})))
    assert str(catalogue.expand(Grant.parse("write"))) == "read write"


@pytest.mark.parametrize("name", ["", "a b", "a*", "a:*", 'a"', "a" * 129])
def test_what_cannot_be_declared(name):
    with pytest.raises(InvalidScope):
        Catalogue.of(Declared(name))


def test_a_scope_is_filed_under_its_name():
    with pytest.raises(ValueError, match="filed"):
        Catalogue({"a": Declared("b")})
