"""When a client tries again: by Retry-After, by doubling, never in step, never for ever."""

import threading
import time as clock
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import requests

from keyturn.client import Backoff

NOW = datetime(2030, 1, 1, tzinfo=UTC)
IN_A_MINUTE = format_datetime(NOW + timedelta(seconds=60), usegmt=True)


def backoff(chance=0.0, **also):
    return Backoff(first=timedelta(seconds=1), chance=lambda: chance, now=lambda: NOW, **also)


@pytest.mark.row("S2-65", "S2-70")
@pytest.mark.parametrize(
    ("status", "told", "attempt", "least", "most"),
    [
        (429, "7", 0, 7, 8),
        (429, "7", 3, 7, 15),
        (429, "0", 0, 0, 1),
        (429, "60", 0, 60, 61),
        (429, IN_A_MINUTE, 1, 60, 62),
        (429, None, 0, 0.5, 1),
        (429, None, 1, 1, 2),
        (429, None, 4, 8, 16),
        (429, None, 40, 30, 60),
        (429, "soon", 0, 0.5, 1),
        (429, "-5", 0, 0.5, 1),
        (503, "5", 0, 5, 6),
    ],
)
def test_how_long(status, told, attempt, least, most):
    headers = {} if told is None else {"Retry-After": told}
    assert backoff(0.0).wait(attempt, status, headers) == least
    assert backoff(1.0).wait(attempt, status, headers) == most


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (200, None),
        (200, "5"),
        (401, "5"),
        (403, None),
        (500, "5"),
        (503, None),
        (503, "soon"),
        (429, "61"),
        (429, "9" * 400),
        (429, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_when_not_at_all(status, told):
    assert backoff().wait(0, status, {} if told is None else {"Retry-After": told}) is None


@pytest.fixture
def busy():
    """An API that refuses the first three requests, and notes when each came."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            came.append(clock.monotonic())
            self.send_response(429 if len(came) <= 3 else 200)
            self.send_header("Retry-After", "2")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    server.came = came
    server.url = f"http://127.0.0.1:{server.server_address[1]}/"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.row("S2-65", "S2-70")
@pytest.mark.parametrize("get", [httpx.get, requests.get], ids=["httpx", "requests"])
def test_a_client_of_a_busy_api_waits_and_gets_through(busy, get):
    slept = []
    waiting = backoff(0.5, sleep=slept.append)
    assert waiting.call(lambda: get(busy.url)).status_code == 200
    assert slept == [2.5, 3.0, 4.0]


def test_after_the_last_attempt_the_refusal_is_the_answer(busy):
    slept = []
    answer = backoff(attempts=2, sleep=slept.append).call(lambda: httpx.get(busy.url))
    assert (answer.status_code, len(busy.came), slept) == (429, 2, [2.0])


@pytest.mark.parametrize(
    "settings", [{"attempts": 0}, {"first": timedelta(0)}, {"longest": timedelta(0)}], ids=str
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(ValueError, match="attempts"):
        Backoff(**settings)
