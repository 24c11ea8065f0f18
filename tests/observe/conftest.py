"""What the tests of observation share: the log of this process, as it would be written."""

import io
import json
import logging

import pytest

from app.observe import logs
from app.observe.context import REQUEST_ID, TRACE_ID
from app.settings import Settings

KEY = "kt_live_9aBcDeFgHiJkLmNoPqRsTuVwXyZ01234_0aBcDe"
TEST_KEY = "kt_test_Zz9yXwVuTsRqPoNmLkJiHgFeDcBa9876_9Zz9Zz"
CLIENT_SECRET = "kts_live_1qAz2wSx3eDc4rFv5tGb6yHn7uJm8iKo_Qw3rTy"
JWT = (
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjEifQ"
    ".eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSIsImp0aSI6IjEyMyJ9"
    ".MEUCIQDx3vPq-9lZ_signature_that_nobody_checks_0123456789abcdefghijk"
)
SECRETS = {
    KEY: KEY[8:40],
    TEST_KEY: TEST_KEY[8:40],
    CLIENT_SECRET: CLIENT_SECRET[9:41],
    JWT: JWT[30:],
}
"""A secret, and what of it must never be seen."""


class Lines:
    """A log as it is written."""

    def __init__(self, kind):
        self.kind = kind
        self.stream = io.StringIO()

    @property
    def text(self):
        return self.stream.getvalue()

    @property
    def read(self):
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log_as():
    """Configure the log of this process as ``flask serve`` would; undone afterwards."""
    nobodys = REQUEST_ID.set(None), TRACE_ID.set(None)
    root = logging.getLogger()
    names = (*logs.OURS, *logs.GRANIAN["loggers"])
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in names}
    hooks = logs.sys.excepthook, logs.threading.excepthook
    begun = []

    def begin(kind="json", **also):
        lines = Lines(kind)
        lines.handler = logs.configure(Settings(log_format=kind, **also), lines.stream)
        begun.append(lines.handler)
        return lines

    yield begin
    for handler in begun:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logs.sys.excepthook, logs.threading.excepthook = hooks
    logging.captureWarnings(False)
    for variable, token in zip((REQUEST_ID, TRACE_ID), nobodys, strict=True):
        variable.reset(token)


@pytest.fixture(params=["json", "text"])
def lines(request, log_as):
    """The log in either form."""
    return log_as(request.param)
