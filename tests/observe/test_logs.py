"""Log lines: what each has, who writes them, and that a flood of one is a count."""

import logging
import re
import subprocess
import sys
import threading
import time
import warnings
from datetime import UTC, datetime

import pytest

from app.errors import StartRefused
from app.observe import logs, repeats
from app.observe.context import REQUEST_ID
from app.settings import Settings
from tests.observe.conftest import KEY
from tests.support.installation import ROOT, process_environ
from tests.support.served import eventually

log = logging.getLogger("app.tests")


@pytest.fixture
def request_id():
    token = REQUEST_ID.set("req_0123456789abcdef01234567")
    yield REQUEST_ID.get()
    REQUEST_ID.reset(token)


# What a line has ----------------------------------------------------------------------------------


def test_every_line_has_its_fields(log_as, request_id):
    lines = log_as()
    log.warning("%s is away", "the database", extra={"seconds": 3})
    (line,) = lines.read
    time = line.pop("time")
    assert line == {
        "level": "warning",
        "logger": "app.tests",
        "event": "the database is away",
        "request_id": request_id,
        "seconds": 3,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time)
    assert abs(datetime.fromisoformat(time) - datetime.now(UTC)).total_seconds() < 60


def test_no_request_id_where_there_is_none(log_as):
    lines = log_as()
    log.error("on its own")
    assert set(lines.read[0]) == {"time", "level", "logger", "event"}


@pytest.mark.parametrize("path", ["/oauth/token", "/v1/me", "/health", "/no-such-page"])
def test_no_request_id_once_it_is_answered(log_as, fresh_installation, path):
    lines = log_as()
    answer = fresh_installation.http.post(path)
    log.error("later, in the same thread")
    assert answer.headers["X-Request-Id"]
    assert lines.read[-1]["event"] == "later, in the same thread"
    assert "request_id" not in lines.read[-1]


def test_an_exception_is_one_field(log_as):
    lines = log_as()
    try:
        raise ValueError("what\nhappened")
    except ValueError:
        log.exception("failed")
    (line,) = lines.read
    assert line["event"] == "failed"
    assert line["exception"].startswith("Traceback (most recent call last):")
    assert line["exception"].endswith("ValueError: what\nhappened")


@pytest.mark.parametrize(
    "what", ["ß€\ud800", "\x00\x1b]0;x\x07", 'a"b\\c', 10**40, float("nan"), {1: {2: ()}}, None]
)
def test_whatever_is_logged_is_one_line_of_json(log_as, what):
    lines = log_as()
    log.warning("it is %s", what, extra={"it": what})
    (line,) = lines.read
    assert line["event"].startswith("it is ")
    assert lines.text.isascii()


def test_for_people(log_as, request_id):
    lines = log_as("text")
    log.warning("away")
    assert re.fullmatch(
        rf"\S+Z warning app\.tests: away request_id={request_id}\n",
        lines.text,
    )


def test_nobody_can_begin_a_line_of_ours(log_as):
    lines = log_as("text")
    log.warning("agent %s", "x\n2026-01-01T00:00:00Z error   app: forged\r\u2028\x85\x1b[2K")
    assert len(lines.text.splitlines()) == 1
    assert "\x1b" not in lines.text


def test_a_traceback_for_people_is_indented(log_as):
    lines = log_as("text")
    try:
        raise ValueError("what\nhappened\x1b[0m")
    except ValueError:
        log.exception("failed")
    head, *below = lines.text.splitlines()
    assert head.endswith("app.tests: failed")
    assert below[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in below)
    assert "\x1b" not in lines.text


def test_an_endless_message_ends(log_as):
    lines = log_as()
    log.warning("x" * 100_000)
    assert len(lines.text) < 5_000


def test_a_terminal_gets_text_and_everything_else_json(log_as):
    class Terminal(logs.IO):
        written = ""

        def isatty(self):
            return True

        def write(self, text):
            self.written += text

        def flush(self):
            pass

    log_as()  # so that all is undone
    terminal = Terminal()
    logs.configure(Settings(), terminal)
    log.warning("hello")
    assert not terminal.written.startswith("{")
    terminal.isatty = lambda: False
    logs.configure(Settings(), terminal)
    terminal.written = ""
    log.warning("hello")
    assert terminal.written.startswith("{")


# Who speaks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", {"app": "debug", "keyturn": "debug", "authlib": "warning"}),
        ("info", {"app": "info", "keyturn": "info", "authlib": "warning"}),
        ("error", {"app": "error", "keyturn": "error", "authlib": "error"}),
    ],
)
def test_others_never_say_more_than_warnings(log_as, level, heard):
    # At debug level Authlib logs the tokens that it issues.
    lines = log_as(log_level=level)
    for name in heard:
        for said in ("debug", "info", "warning", "error"):
            getattr(logging.getLogger(f"{name}.x"), said)(said)
    order = ["debug", "info", "warning", "error"]
    for name, first in heard.items():
        said = [line["level"] for line in lines.read if line["logger"] == f"{name}.x"]
        assert said == order[order.index(first) :]


def test_warnings_and_uncaught_exceptions_are_lines(log_as):
    lines = log_as()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(f"careful with {KEY}", stacklevel=1)
    logs.sys.excepthook(ValueError, ValueError(f"main {KEY}"), None)

    def fail():
        raise ValueError(f"thread {KEY}")

    hook, threading.excepthook = threading.excepthook, logs._uncaught_in_thread
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    threading.excepthook = hook
    warned, main, other = lines.read
    assert warned["logger"] == "py.warnings"
    assert main["level"] == other["level"] == "critical"
    assert "ValueError: main kt_live_****BcDe" in main["exception"]
    assert "ValueError: thread kt_live_****BcDe" in other["exception"]


def test_granian_speaks_through_the_same_handler(log_as):
    from granian.log import LogLevels, configure_logging

    lines = log_as()
    configure_logging(LogLevels.error, logs.GRANIAN)
    logging.getLogger("_granian").error("Unexpected exit from worker-1")
    logging.getLogger("_granian").info("Started worker-1")
    log.info("ours go on")
    assert [line["event"] for line in lines.read] == [
        "Unexpected exit from worker-1",
        "ours go on",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KEYTURN_LOG_FORMAT", "xml"),
        ("KEYTURN_LOG_LEVEL", "verbose"),
        ("KEYTURN_METRICS_TOKEN", "short"),
        ("KEYTURN_METRICS_TOKEN", "spaces in between them"),
        ("KEYTURN_METRICS_PORT", "0"),
        ("KEYTURN_TRACES_ENDPOINT", "collector:4317"),
        ("KEYTURN_TRACES_RATIO", "1.5"),
        ("KEYTURN_TRACES_RATIO", "nan"),
    ],
)
def test_settings_that_cannot_be(variable, value):
    with pytest.raises(StartRefused, match=variable) as refused:
        Settings.from_env({variable: value})
    if variable == "KEYTURN_METRICS_TOKEN":
        assert value not in refused.value.description


def test_a_command_logs_in_json_where_there_is_no_terminal(tmp_path):
    code = "import wsgi, logging; logging.getLogger('app').warning('hello')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=process_environ({"KEYTURN_DATABASE_URL": f"sqlite:///{tmp_path}/k.db"}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"event": "hello"' in done.stderr


# A flood ------------------------------------------------------------------------------------------


@pytest.fixture
def quick(log_as, monkeypatch):
    """A log whose window is short."""
    lines = log_as()
    lines.handler._window = 0.2
    return lines


def test_a_flood_is_one_line_and_a_count(quick):
    for number in range(1000):
        log.warning("the database is away since %d ms", number)
    (first,) = quick.read
    assert "repeated" not in first
    eventually(lambda: len(quick.read) == 2)
    assert quick.read[1]["repeated"] == 999
    time.sleep(0.5)
    assert len(quick.read) == 2  # nothing more to say


def test_a_flood_that_goes_on_is_a_count_each_window(quick):
    until = time.monotonic() + 1.1
    written = 0
    while time.monotonic() < until:
        log.warning("away")
        written += 1
        time.sleep(0.002)
    quick.handler.flush()
    counts = [line.get("repeated", 1) for line in quick.read]
    assert 3 <= len(counts) <= 12
    assert sum(counts) == written


def test_nothing_of_another_kind_is_lost_among_them(quick):
    for _ in range(100):
        log.warning("away")
    log.warning("something else")
    log.error("away")
    logging.getLogger("app.other").warning("away")
    assert len(quick.read) == 4


def test_what_comes_again_later_is_said_again(quick):
    log.warning("away")
    time.sleep(0.3)
    log.warning("away")
    assert ["repeated" in line for line in quick.read] == [False, False]


def test_an_error_of_a_request_keeps_its_line_but_not_its_traceback(quick):
    """Its caller was told the id, and was promised that the log knows it."""
    for number in range(5):
        token = REQUEST_ID.set(f"req_{number}")
        try:
            raise ValueError("a bug")
        except ValueError:
            log.exception("failed")
        REQUEST_ID.reset(token)
    first, *others = quick.read
    assert "exception" in first
    assert [line["request_id"] for line in others] == [f"req_{n}" for n in range(1, 5)]
    assert all(line["traceback_of"] == "req_0" and "exception" not in line for line in others)


def test_an_error_of_the_background_is_counted_like_a_warning(quick):
    for _ in range(50):
        try:
            raise ValueError("a bug")
        except ValueError:
            log.exception("the feed failed")
    assert len(quick.read) == 1


def test_another_exception_at_the_same_place_is_another_kind(quick):
    for kind in (ValueError, KeyError):
        try:
            raise kind("a bug")
        except (ValueError, KeyError):
            log.exception("failed")
    assert len(quick.read) == 2


def test_very_many_kinds_take_bounded_room(quick):
    quick.handler._window = 60
    for number in range(5000):
        log.info("refused %s", f"{number:x}".translate(str.maketrans("0123456789", "ghijklmnop")))
    assert len(quick.handler._kinds) <= repeats.MAX_KINDS + 1
    quick.handler.flush()
    assert sum(line.get("repeated", 1) for line in quick.read) == 5000
    assert len(quick.read) <= 2 * repeats.MAX_KINDS


def test_many_threads_flood_at_once(quick):
    def flood():
        for _ in range(200):
            log.warning("away")

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    quick.handler.flush()
    assert sum(line.get("repeated", 1) for line in quick.read) == 1600


def test_a_stream_that_is_gone_fails_nobody(log_as):
    lines = log_as()
    lines.stream.close()
    log.warning("nobody hears this")
