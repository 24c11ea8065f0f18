"""What routes ask, as values: laws of `all_of` and `any_of`, and policies that do not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn import (
    PUBLIC,
    InsufficientScope,
    PolicyRefused,
    Principal,
    Route,
    RoutePolicy,
    ScopeSet,
    all_of,
    any_of,
)

SCOPES = ["a:x", "b:y", "c:z", "d"]
tokens = st.lists(st.sampled_from(SCOPES), max_size=4)


def meets(requirement, held):
    return requirement.is_met_by(ScopeSet.parse(" ".join(sorted(set(held)))))


@given(tokens, tokens)
def test_all_of_is_every_one_and_any_of_is_one(wanted, held):
    assert meets(all_of(*wanted), held) is all(one in held for one in wanted)
    if wanted:
        assert meets(any_of(*wanted), held) is any(one in held for one in wanted)


@given(tokens, tokens.filter(bool), tokens)
def test_they_nest(every, some, held):
    assert meets(all_of(any_of(*some), *every), held) is (
        any(one in held for one in some) and all(one in held for one in every)
    )
    assert meets(any_of(all_of(*every), *some), held) is (
        all(one in held for one in every) or any(one in held for one in some)
    )


def test_a_refusal_names_the_first_choice():
    wanted = any_of(all_of("b:y", "a:x"), "c:z")
    principal = Principal("client", "c1", "c1", scopes=ScopeSet.parse("a:x d"))
    with pytest.raises(InsufficientScope) as refused:
        wanted.require_of(principal)
    assert refused.value.scope == "a:x b:y"
    assert refused.value.detail == "'c1' has 'a:x d', needs a:x b:y or c:z"


@pytest.mark.parametrize("text", ["", "a b", "a:*", "*", 'a"b', "é"])
def test_what_nobody_can_hold_is_no_requirement(text):
    for make in (all_of, any_of):
        with pytest.raises(ValueError, match="scope"):
            make(text)


def test_any_of_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="refuse everybody"):
        any_of()


# Policies ----------------------------------------------------------------------------------------

POLICY = RoutePolicy(
    {
        "GET /health": PUBLIC,
        "GET /things/{id}": all_of("a:x"),
        "POST /things": Route(all_of("b:y"), "writing", cost=2),
    }
)


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "/health", PUBLIC),
        ("HEAD", "/health", PUBLIC),
        ("GET", "/things/<int:number>", Route(all_of("a:x"))),
        ("GET", "/things/{thing:path}", Route(all_of("a:x"))),
        ("POST", "/things", Route(all_of("b:y"), "writing", 2)),
        ("GET", "/things", None),
        ("HEAD", "/things", None),
        ("GET", "/things/", None),
        ("GET", "/things/{id}/parts", None),
        ("POST", "/health", None),
        ("get", "/health", None),
    ],
)
def test_what_a_route_asks(method, path, asked):
    assert POLICY.of(method, path) == asked


SERVED = [("GET", "/health"), ("GET", "/things/<n>"), ("HEAD", "/things/<n>"), ("POST", "/things")]


@pytest.mark.parametrize(
    ("served", "says"),
    [
        ([*SERVED, ("GET", "/new"), ("HEAD", "/new")], "not declared: GET /new"),
        (SERVED[1:], "declared and not served: GET /health"),
        (
            [*SERVED[:3], ("PUT", "/things")],
            "not declared: PUT /things; declared and not served: POST /things",
        ),
        ([*SERVED, ("HEAD", "/new")], "not declared: HEAD /new"),
    ],
)
def test_a_policy_that_does_not_fit_names_every_route(served, says):
    POLICY.check(SERVED)
    with pytest.raises(PolicyRefused) as refused:
        POLICY.check(served)
    assert str(refused.value) == says


@pytest.mark.parametrize(
    "routes",
    [
        {"/health": PUBLIC},
        {"get /health": PUBLIC},
        {"GET health": PUBLIC},
        {"GET /things/{id}": PUBLIC, "GET /things/{number}": all_of("a:x")},
    ],
)
def test_what_cannot_be_meant_is_no_policy(routes):
    with pytest.raises(ValueError, match=r"GET|health"):
        RoutePolicy(routes)
