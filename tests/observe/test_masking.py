"""Nothing that looks like a key, a secret or a token is in a log line, however it got there."""

import base64
import logging
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.records import Actor
from keyturn.apikey import BASE36, KeyTemplate
from keyturn.masking import HIDDEN, Masker
from tests.observe.conftest import CLIENT_SECRET, JWT, KEY, SECRETS, TEST_KEY

log = logging.getLogger("app.tests")
mask = Masker().text


class Holder:
    def __init__(self, secret):
        self.secret = secret

    def __repr__(self):
        return f"Holder({self.secret!r})"


def chained(secret):
    try:
        try:
            raise ValueError(f"first {secret}")
        except ValueError as error:
            raise KeyError(secret) from error
    except KeyError:
        log.exception("chained")


def grouped(secret):
    try:
        raise ExceptionGroup(f"several {secret}", [ValueError(secret)])
    except ExceptionGroup:
        log.exception("grouped")


def noted(secret):
    try:
        error = ValueError("noted")
        error.add_note(f"it was {secret}")
        raise error
    except ValueError:
        log.exception("noted")


WAYS = {
    "in the message": lambda secret: log.warning(f"presented {secret} to us"),
    "alone": log.warning,
    "as an argument": lambda secret: log.warning("presented %s", secret),
    "as a repr": lambda secret: log.warning("presented %r", secret),
    "as a named argument": lambda secret: log.warning("presented %(it)s", {"it": secret}),
    "as a spelt-out argument": lambda secret: log.warning("%a", f"ß\n{secret}"),
    "in bytes": lambda secret: log.warning("presented %r", secret.encode()),
    "in a dict": lambda secret: log.warning("form: %s", {"client_secret": secret}),
    "in a list": lambda secret: log.warning("form: %s", [("client_secret", secret)]),
    "in an object": lambda secret: log.warning("%s", Holder(secret)),
    "behind a newline": lambda secret: log.warning("one\n%s\nthree", secret),
    "behind a newline of a repr": lambda secret: log.warning("%r", f"one\n{secret}\nthree"),
    "behind a letter": lambda secret: log.warning("key%s", secret),
    "behind an equals sign": lambda secret: log.warning("token=%s&x=1", secret),
    "in a URL": lambda secret: log.warning("GET /v1/api-keys/%s?verbose=1", secret),
    "in JSON": lambda secret: log.warning('{"key":"%s"}', secret),
    "twice": lambda secret: log.warning("%s%s", secret, secret),
    "with other control characters": lambda secret: log.warning("a\x00\x1b[0m%s\u2028", secret),
    "as an extra field": lambda secret: log.warning("extra", extra={"presented": secret}),
    "deep in an extra field": lambda secret: log.warning("extra", extra={"a": [{"b": (secret,)}]}),
    "as the name of a field": lambda secret: log.warning("extra", extra={"a": {secret: 1}}),
    "as bytes in an extra field": lambda secret: log.warning("x", extra={"a": secret.encode()}),
    "an object in an extra field": lambda secret: log.warning("x", extra={"a": Holder(secret)}),
    "in an argument that does not fit": lambda secret: log.warning("%d", secret),
    "with an argument too many": lambda secret: log.warning("no place", secret),
    "in a chained exception": chained,
    "in a group of exceptions": grouped,
    "in a note": noted,
    "with the stack": lambda secret: log.warning("%s", secret, stack_info=True),
    "at another level": lambda secret: log.critical("presented %s", secret),
    "by another package": lambda secret: logging.getLogger("sqlalchemy.pool").error(secret),
    "as a name of a logger": lambda secret: logging.getLogger(f"app.{secret}").error("x"),
    "as a bearer": lambda secret: log.warning("Authorization: Bearer %s", secret),
}


@pytest.mark.parametrize("secret", SECRETS, ids=["key", "test key", "client secret", "jwt"])
@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_masked(lines, way, secret, capfd, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [lines.handler])  # without pytest's own
    WAYS[way](secret)
    lines.handler.flush()
    written = lines.text + "".join(capfd.readouterr())
    assert written
    hidden = SECRETS[secret]
    assert hidden not in written
    assert hidden[4:20] not in written
    if way not in ("in an argument that does not fit", "with an argument too many"):
        assert HIDDEN in written


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"got {KEY} from 10.0.0.1", "got kt_live_****BcDe from 10.0.0.1"),
        (f"{TEST_KEY}", "kt_test_****z9Zz"),
        (CLIENT_SECRET, "kts_live_****3rTy"),
        (JWT, "eyJ****"),
        (f"{JWT}.and.more", "eyJ****"),
        (JWT[:30], "eyJ****"),
        (KEY[:30], "kt_live_****RsTu"),
        (KEY[:22], "kt_live_****"),
        (KEY.replace("_", "%5F"), "kt%5Flive%5F****BcDe"),
        ("postgresql://keyturn:hunter2@db:5432/x", "postgresql://keyturn:****@db:5432/x"),
        (
            "https://a.example/dashboard/sign-in#abc-DEF_1",
            "https://a.example/dashboard/sign-in#****",
        ),
    ],
)
def test_what_is_left_of_it(text, masked):
    assert mask(text) == masked


def test_credentials_as_http_sends_them():
    basic = base64.b64encode(f"client_x:{CLIENT_SECRET}".encode()).decode()
    assert mask(f"Basic {basic}") == "Basic ****"
    assert mask(f"authorization: basic {basic}, x") == "authorization: basic ****, x"
    assert mask("Bearer 0123456789abcdef0123") == "Bearer ****"
    assert mask('Bearer realm="api", error="invalid_token"') == (
        'Bearer realm="api", error="invalid_token"'
    )


def test_private_keys():
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----"
    assert mask(f"a {key} b") == "a **** b"
    assert mask(f"cut: {key[:40]}") == "cut: ****"


@pytest.mark.parametrize(
    "text",
    [
        "client_01hzy3v7q5k8m9n0p1q2r3s4t5 was disabled",
        "key_01hzy3v7q5k8m9n0p1q2r3s4t5 org_01hzy3v7q5k8m9n0p1q2r3s4t5",
        "req_0123456789abcdef01234567",
        "evt_05f5e1000000010123456789abcdef",
        "database: connection to server at 127.0.0.1, port 5432 failed: Connection refused",
        "feed: waits: database: (sqlite3.OperationalError) unable to open",
        "test_known_clients_are_served_for_a_while_without_a_database",
        "ix_audit_events_organization_id_time",
        "basic authentication failed, and so did bearer authentication",
    ],
)
def test_what_is_no_secret_is_left_alone(text):
    assert mask(text) == text


@pytest.mark.parametrize(
    "template",
    [
        KeyTemplate(prefix="sk_rsv", environments=()),
        KeyTemplate(prefix="el", alphabet=BASE36, checksum_length=4),
        KeyTemplate(prefix="ac", length=40, checksum="none"),
        KeyTemplate(prefix="key", environments=("test",)),
        KeyTemplate(prefix="client", environments=(), checksum="none"),
    ],
    ids=lambda template: template.prefix,
)
def test_keys_of_an_organizations_own_template(template):
    environment = template.environments[0] if template.environments else None
    for _ in range(50):
        key = template.generate(environment)
        secret = template.read(key).secret
        assert secret not in mask(f"got {key}, and that was wrong")


def test_keys_of_this_installations_prefix():
    # Cut so short that only who knows the prefix can know it.
    assert Masker(("acme",)).text("acme_live_0123456789") == "acme_live_****"
    assert Masker(("acme",)).text("acmes_live_0123456789") == "acmes_live_****"
    assert Masker(("acme",)).text(KEY) == "kt_live_****BcDe"


def test_secrets_known_by_value():
    masker = Masker(secrets=["correct horse", "x"])
    assert masker.text("password is 'correct horse', x") == "password is '****', x"


@given(st.text(), st.sampled_from(sorted(SECRETS)), st.text())
def test_whatever_stands_around_it(before, secret, after):
    assert SECRETS[secret] not in mask(before + secret + after)


@given(st.text())
def test_masking_twice_changes_no_more(text):
    assert mask(mask(text)) == mask(text)


def test_a_long_line_takes_no_time():
    for text in ("kt_live_" * 5000, "eyJ" * 20000, "a_" * 20000, "Basic " * 9000, "://a" * 9000):
        mask(text)  # the suite's time-out is the assertion


def test_our_own_values_do_not_print_secrets():
    actor = Actor(
        type="client", id="c", organization_id="o", is_operator=False, scopes=None, ip=None
    )
    assert mask(repr(actor)) == repr(actor)


def test_traceback_lines_are_masked_like_all_others():
    try:
        raise ValueError(KEY)
    except ValueError:
        assert SECRETS[KEY] not in mask(traceback.format_exc())
