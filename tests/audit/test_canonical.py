"""Canonical JSON: the bytes that everybody computes alike (RFC 8785)."""

import json
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.storage.canonical import GENESIS, canonical, document, hash_of, instant, instant_of

texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text(st.characters(max_codepoint=127))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)

_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def by_the_book(value):
    """RFC 8785 §3.2, letter by letter."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        escaped = (_SHORT.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in value)
        return f'"{"".join(escaped)}"'
    if isinstance(value, list):
        return f"[{','.join(map(by_the_book, value))}]"
    members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
    return "{" + ",".join(f"{by_the_book(n)}:{by_the_book(v)}" for n, v in members) + "}"


@pytest.mark.rfc("8785", "3.2")
@given(values)
def test_it_is_written_by_the_book(value):
    assert canonical(value).decode() == by_the_book(value)


@given(values)
def test_it_is_read_as_what_was_written(value):
    assert json.loads(canonical(value)) == value


@pytest.mark.rfc("8785", "3.2.3")
def test_members_are_sorted_at_every_depth():
    assert canonical({"b": 1, "a": {"d": [], "c": None}}) == b'{"a":{"c":null,"d":[]},"b":1}'


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        float("nan"),
        2**53,
        -(2**53),
        {"é": 1},
        {1: "a"},
        "\ud800",
        b"bytes",
        datetime(2026, 1, 1, tzinfo=UTC),
        {"deep": [{"er": 0.5}]},
        {1, 2},
    ],
    ids=repr,
)
def test_what_is_not_alike_everywhere_is_refused(value):
    with pytest.raises(ValueError, match=r"."):
        canonical(value)


def test_nesting_is_bounded():
    value = []
    for _ in range(200):
        value = [value]
    with pytest.raises(ValueError, match="deep"):
        canonical(value)


@pytest.mark.rfc("3339", "5.6")
def test_an_instant_always_has_its_microseconds_and_is_utc():
    there = timezone(timedelta(hours=-3))
    assert instant(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05.000000Z"
    assert instant(datetime(2026, 1, 2, 3, 4, 5, 60, there)) == "2026-01-02T06:04:05.000060Z"


@given(time=st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_instant_of_nanoseconds_is_that_of_the_time(time):
    whole = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert instant_of(whole * 1000) == instant_of(whole * 1000 + 999) == instant(time)


ROW = {
    "id": "evt_1",
    "time": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "type": "client.created",
    "details": {"scopes": ["b", "a"], "name": "Zoë"},
    "organization_id": None,
    "stream": "installation",
    "sequence": 1,
    "previous_hash": GENESIS,
}


def test_the_hash_of_a_row_can_be_computed_by_hand():
    text = (
        '{"details":{"name":"Zoë","scopes":["b","a"]},"id":"evt_1","organization_id":null,'
        f'"previous_hash":"{"00" * 32}","sequence":1,"stream":"installation",'
        '"time":"2026-01-02T03:04:05.000006Z","type":"client.created"}'
    )
    assert canonical(document(ROW)).decode() == text
    assert hash_of(document(ROW)) == sha256(text.encode()).digest()


def test_the_hash_is_not_part_of_what_is_hashed():
    assert hash_of(document({**ROW, "hash": b"x"})) == hash_of(document(ROW))


@pytest.mark.parametrize(
    "change",
    [
        {"stream": "org_x"},
        {"sequence": 2},
        {"previous_hash": bytes(31) + b"\1"},
        {"time": ROW["time"] + timedelta(microseconds=1)},
        {"details": {"scopes": ["a", "b"], "name": "Zoë"}},
        {"organization_id": ""},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_column_counts(change):
    assert hash_of(document(ROW | change)) != hash_of(document(ROW))
