"""The key format: every slip is caught offline, nothing is caught that is right."""

import json
import random
import string
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn import (
    BASE36,
    BASE62,
    DEFAULT_API_KEY,
    DEFAULT_CLIENT_SECRET,
    BadChecksum,
    KeyTemplate,
    MalformedKey,
    key_digest,
    last_four,
    prefix_of,
)

EXPERIENCE_LOCAL = KeyTemplate(prefix="el", alphabet=BASE36, checksum_length=4)
RESERVE_KIT = KeyTemplate(prefix="sk_rsv", environments=())
OPAQUE = KeyTemplate(prefix="", environments=(), checksum="none")
TEMPLATES = [
    DEFAULT_API_KEY,
    DEFAULT_CLIENT_SECRET,
    EXPERIENCE_LOCAL,
    RESERVE_KIT,
    OPAQUE,
    KeyTemplate(prefix="ac", checksum="none"),
    KeyTemplate(prefix="", length=40),
    KeyTemplate(prefix="bs", environments=("development", "staging", "production")),
]
CHECKED = [template for template in TEMPLATES if template.checksum == "crc32"]
SEEDS = st.integers(0, 2**64)


def some_key(template, seed):
    chance = random.Random(seed)
    environment = chance.choice(template.environments) if template.environments else None
    return template.generate(environment, chance.randbytes)


@given(st.sampled_from(TEMPLATES), SEEDS)
def test_what_is_generated_can_be_read(template, seed):
    key = some_key(template, seed)
    parts = template.read(key)
    assert parts.prefix == template.prefix
    assert parts.environment in (template.environments or (None,))
    assert len(parts.secret) == template.length
    assert (parts.checksum is None) is (template.checksum == "none")
    assert (
        "_".join(filter(None, (parts.prefix, parts.environment, parts.secret, parts.checksum)))
        == key
    )
    assert template.recognizes(key)
    assert parts.secret not in repr(parts)


@pytest.mark.row("S2-6")
@given(st.sampled_from(CHECKED), SEEDS, st.data())
def test_a_substituted_character_is_caught(template, seed, data):
    key = some_key(template, seed)
    at = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.characters().filter(lambda c: c != key[at]))
    with pytest.raises(MalformedKey):
        template.read(key[:at] + other + key[at + 1 :])


@pytest.mark.row("S2-6")
@given(st.sampled_from(CHECKED), SEEDS, st.data())
def test_transposed_neighbours_are_caught(template, seed, data):
    key = some_key(template, seed)
    at = data.draw(st.integers(0, len(key) - 2).filter(lambda i: key[i] != key[i + 1]))
    with pytest.raises(MalformedKey):
        template.read(key[:at] + key[at + 1] + key[at] + key[at + 2 :])


@given(st.sampled_from(CHECKED), SEEDS, st.data())
def test_a_lost_or_added_character_is_caught(template, seed, data):
    key = some_key(template, seed)
    at = data.draw(st.integers(0, len(key) - 1))
    with pytest.raises(MalformedKey):
        template.read(key[:at] + key[at + 1 :])
    with pytest.raises(MalformedKey):
        template.read(key[:at] + data.draw(st.characters()) + key[at:])


@pytest.mark.row("S2-6")
@pytest.mark.parametrize("template", CHECKED, ids=lambda t: t.prefix)
def test_every_single_slip_of_one_key_is_caught(template):
    key = some_key(template, 7)
    slips = {key[:i] + c + key[i + 1 :] for i in range(len(key)) for c in string.printable}
    slips |= {key[:i] + key[i + 1] + key[i] + key[i + 2 :] for i in range(len(key) - 1)}
    slips.discard(key)
    for slip in slips:
        with pytest.raises(MalformedKey):
            template.read(slip)


def test_keys_whose_short_checksum_misses_a_slip_are_not_handed_out():
    # With four characters of 36 one key in a thousand has a neighbour with the same checksum.
    template = KeyTemplate(prefix="x", environments=(), alphabet=BASE36, checksum_length=4)
    chance = random.Random(1)
    offered = 0

    def counted(size):
        nonlocal offered
        offered += 1
        return chance.randbytes(size)

    weak = 0
    for _ in range(60):
        body = "x_" + template._draw(chance.randbytes) + "_"
        weak += not template._tells_slips(body)
        key = template.generate(None, counted)
        assert template._tells_slips(key[:-4])
    assert offered >= 60
    assert weak <= 3


@pytest.mark.parametrize(
    "junk",
    [
        "", "kt", "kt_", "kt_live_", "kt_live", "\n", "\x00",
        "kt_prod_" + "a" * 32 + "_000000",
        "kt__" + "a" * 32 + "_000000",
        "KT_live_" + "a" * 32 + "_000000",
        "kts_live_" + "a" * 32 + "_000000",
        "kt_live_" + "a" * 10_000_000,
        "kt_live_" + "é" * 32 + "_000000",
        "kt_live_" + "\u0660" * 32 + "_000000",
    ],
    ids=lambda junk: repr(junk[:20]),
)  # fmt: skip
def test_what_is_no_key(junk):
    with pytest.raises(MalformedKey) as refused:
        DEFAULT_API_KEY.read(junk)
    assert not isinstance(refused.value, BadChecksum)


@pytest.mark.parametrize("tail", ["\n", "\r\n", "\x00", " ", "=", "_", "\u200b"])
def test_nothing_may_follow_or_precede_a_key(tail):
    key = some_key(DEFAULT_API_KEY, 3)
    for text in (key + tail, tail + key):
        with pytest.raises(MalformedKey):
            DEFAULT_API_KEY.read(text)


@pytest.mark.row("S2-20")
def test_a_key_cut_before_its_checksum_says_so_to_its_owner():
    key = some_key(EXPERIENCE_LOCAL, 3)
    with pytest.raises(MalformedKey) as refused:
        EXPERIENCE_LOCAL.read(key[:-5])
    assert refused.value.detail == "cut before the checksum"
    assert refused.value.description == "The key is malformed"


def test_the_checksum_is_the_documented_one():
    key = some_key(DEFAULT_API_KEY, 11)
    body, checksum = key[:-6], key[-6:]
    assert body.endswith("_")
    number = 0
    for digit in checksum:
        number = number * 62 + BASE62.index(digit)
    assert number == zlib.crc32(body.encode())


def test_the_short_checksum_is_the_documented_one():
    key = some_key(EXPERIENCE_LOCAL, 11)
    assert int(key[-4:], 36) == zlib.crc32(key[:-4].encode()) % 36**4


@pytest.mark.row("S2-16")
def test_the_documented_shapes():
    assert len(DEFAULT_API_KEY.generate("live")) == 47
    assert DEFAULT_API_KEY.entropy_bits > 190
    assert len(EXPERIENCE_LOCAL.generate("test")) == 45
    assert OPAQUE.read(OPAQUE.generate()).environment is None


@settings(max_examples=10)
@given(SEEDS)
def test_every_character_is_equally_likely(seed):
    # Chi-square over 62 letters: 61 degrees of freedom; beyond 150 is one in 10^9.
    chance = random.Random(seed)
    drawn = "".join(DEFAULT_API_KEY._draw(chance.randbytes) for _ in range(300))
    expected = len(drawn) / 62
    assert sum((drawn.count(c) - expected) ** 2 / expected for c in BASE62) < 150


def test_bytes_that_would_bias_are_thrown_away():
    # 248 to 255 would make the first eight letters likelier than the rest.
    batches = iter([bytes(range(248, 256)) * 4, bytes([247] * 32)])
    assert OPAQUE.generate(None, lambda size: next(batches)) == "z" * 32


def test_a_broken_source_of_chance_is_not_waited_for():
    with pytest.raises(RuntimeError):
        OPAQUE.generate(None, lambda size: b"\xff" * size)


@pytest.mark.parametrize(
    "wrong",
    [
        {"length": 21}, {"length": 129}, {"alphabet": "01"}, {"alphabet": BASE62 + "_"},
        {"alphabet": "aabcdefghijklmnopqrstuvwxyz"},
        {"prefix": "kt_"}, {"prefix": "k t"}, {"prefix": "kt\n"},
        {"prefix": "a" * 17}, {"environments": ("live", "live")}, {"environments": ("li_ve",)},
        {"environments": ("",)}, {"checksum": "md5"},
        {"checksum_length": 3}, {"checksum_length": 9},
    ],
    ids=str,
)  # fmt: skip
def test_templates_that_would_be_weak_or_ambiguous(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        KeyTemplate(**wrong)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.prefix)
def test_a_template_survives_its_configuration(template):
    assert KeyTemplate.of(json.loads(json.dumps(template.fields()))) == template


def test_an_alphabet_may_be_named():
    assert KeyTemplate.of({"alphabet": "base36"}).alphabet == BASE36
    assert KeyTemplate.of({"alphabet": "hex"}).alphabet == "0123456789abcdef"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"colour": "red"}, "colour"),
        ({"length": "32"}, "length"),
        ({"length": True}, "length"),
        ({"length": 8}, "length"),
        ({"environments": "live"}, "environments"),
        ({"environments": [1]}, "environments"),
        ({"alphabet": "base64"}, "alphabet"),
        ({"prefix": None}, "prefix"),
    ],
)
def test_configuration_that_cannot_be_names_its_field(fields, named):
    with pytest.raises(ValueError, match=f"^{named}: "):
        KeyTemplate.of(fields)


@pytest.mark.parametrize("environment", [None, "", "LIVE", "prod"])
def test_a_key_is_of_an_environment_that_exists(environment):
    with pytest.raises(ValueError, match="environment"):
        DEFAULT_API_KEY.generate(environment)


def test_prefixes_do_not_claim_each_other():
    assert not DEFAULT_API_KEY.recognizes(DEFAULT_CLIENT_SECRET.generate("live"))
    assert not DEFAULT_CLIENT_SECRET.recognizes(DEFAULT_API_KEY.generate("live"))
    assert not OPAQUE.recognizes("x" * 31)


def test_a_template_is_its_settings():
    assert KeyTemplate() == DEFAULT_API_KEY
    assert hash(KeyTemplate()) == hash(DEFAULT_API_KEY)
    assert KeyTemplate(prefix="x") != DEFAULT_API_KEY


@pytest.mark.row("S2-2")
def test_the_digest_is_of_the_whole_key():
    key = some_key(DEFAULT_API_KEY, 5)
    assert len(key_digest(key)) == 32
    assert key_digest(key) != key_digest(key + "\x00") != key_digest(key[:-1])
    assert key_digest("\ud800") != key_digest("?")


@given(st.sampled_from(TEMPLATES), SEEDS)
def test_what_is_shown_of_a_key_holds_no_secret(template, seed):
    key = some_key(template, seed)
    secret = template.read(key).secret
    shown = prefix_of(key)
    assert secret not in shown
    assert key.startswith(shown)
    assert shown.startswith(template.prefix)
    assert last_four(key) == key[-4:]
