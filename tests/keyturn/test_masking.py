"""The log filter of a resource server: whatever handler spells a record out, no key is in it."""

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn import (
    BASE36,
    DEFAULT_API_KEY,
    DEFAULT_CLIENT_SECRET,
    KeyTemplate,
    Masker,
    MaskingFilter,
)
from keyturn.masking import HIDDEN

TEMPLATES = {
    "default": DEFAULT_API_KEY,
    "experiencelocal": KeyTemplate(prefix="el", alphabet=BASE36, checksum_length=4),
    "reservekit": KeyTemplate(prefix="sk_rsv", environments=()),
    "opaque": KeyTemplate(prefix="", environments=(), alphabet=BASE36, checksum="none"),
}


class Holder:
    def __init__(self, secret):
        self.secret = secret

    def __repr__(self):
        return f"Holder({self.secret!r})"


def raising(log, key):
    try:
        raise ValueError(f"refused {key}")
    except ValueError:
        log.exception("failed")


WAYS = {
    "in the message": lambda log, key: log.warning(f"got {key}"),
    "as an argument": lambda log, key: log.warning("got %s", key),
    "in an object": lambda log, key: log.warning("got %s", Holder(key)),
    "as a named argument": lambda log, key: log.warning("got %(it)s", {"it": key}),
    "in arguments that do not fit": lambda log, key: log.warning("%d of it", key),
    "in a traceback": raising,
    "with the stack": lambda log, key: log.warning("got %s", key, stack_info=True),
    "in an extra field": lambda log, key: log.warning("got", extra={"sent": {"headers": [key]}}),
    "as a bearer": lambda log, key: log.warning("Authorization: Bearer %s", key),
}


class AsJson(logging.Formatter):
    """Everything that is in a record."""

    def format(self, record):
        return json.dumps(record.__dict__ | {"text": super().format(record)}, default=repr)


def written(template, say):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(AsJson())
    handler.addFilter(MaskingFilter([template]))
    log = logging.Logger("service")
    log.addHandler(handler)
    say(log)
    return stream.getvalue()


@pytest.mark.row("S2-27")
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_key_is_in_a_log(template, way):
    key = template.generate(template.environments[0] if template.environments else None)
    text = written(template, lambda log: way(log, key))
    assert text.count("\n") == 1
    assert key not in text
    assert template.read(key).secret not in text
    assert "****" in text


def test_a_cut_key_of_a_known_prefix():
    template = KeyTemplate(prefix="acme")
    assert "acme_live_0123" not in written(template, lambda log: log.info("x")) + written(
        template, lambda log: log.warning("acme_live_0123456789")
    )


def test_what_is_no_key_stays_as_it_is():
    text = written(DEFAULT_API_KEY, lambda log: log.warning("%s of %d", "booking", 7))
    assert json.loads(text)["text"] == "booking of 7"


def test_secrets_by_value():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(MaskingFilter(secrets=["correct horse"]))
    log = logging.Logger("service")
    log.addHandler(handler)
    log.warning("password: %s", "correct horse")
    assert stream.getvalue() == "password: ****\n"


@pytest.mark.row("S2-27")
@given(st.sampled_from([DEFAULT_API_KEY, DEFAULT_CLIENT_SECRET]), st.integers(0, 20))
def test_keys_in_a_text_are_masked_even_when_cut(template, lost):
    key = template.generate("live")
    key = key[: len(key) - lost]
    masked = Masker().text(f'GET /x "{key}", again:{key}!')
    assert key not in masked
    assert key[9:-4] not in masked
    assert masked.count(HIDDEN) == 2
    assert masked.startswith('GET /x "kt')
    assert masked.endswith("!")


def test_masking_knows_templates_and_leaves_the_rest():
    bare, opaque = TEMPLATES["reservekit"].generate(), TEMPLATES["opaque"].generate()
    assert Masker().text(f"{bare} {opaque}") == f"sk_rsv_****{bare[-4:]} {opaque}"
    assert Masker(opaque=[TEMPLATES["opaque"]]).text(f"<{opaque}>") == f"<****{opaque[-4:]}>"
    for text in ("market_live_share kt_live is fine", "key_01m810p940sxryxg2pqr5emqjt"):
        assert Masker().text(text) == text
