"""`make demo`, as people run it."""

import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.support.installation import ROOT, process_environ


def start(directory, **environ):
    return subprocess.Popen(
        [sys.executable, "-m", "examples.bookings.demo"],
        cwd=ROOT,
        env={**process_environ({}), "TMPDIR": str(directory), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What it prints, once."""
    directory = tmp_path_factory.mktemp("demo")
    # What the Makefile and people's shells export must not reach into the demo's own server.
    demo = start(directory, KEYTURN_ISSUER="http://127.0.0.1:1", KEYTURN_TOKEN_TTL="60")
    output, errors = demo.communicate(timeout=100)
    assert demo.returncode == 0, output + errors
    assert errors == ""
    assert list(directory.iterdir()) == []
    return output


@pytest.mark.parametrize(
    "line",
    [
        r" 9  A test credential sees the sandbox and nothing else",
        r"    \$ flask client create --name 'Booking desk' --preset full",
        r"    ✓ curl  .* Bearer, 900 s, 9 scopes",
        r"    ✓ Authlib  .* Bearer, 900 s, 2 scopes",
        r"    ✓ requests-oauthlib  .* Bearer, 900 s, 9 scopes",
        r"      header .* alg +ES256",
        r" +typ +at\+jwt",
        r"      claims +iss +http://127\.0\.0\.1:\d+",
        r"    ✓ 201  POST   /v1/bookings .*",
        r"    ✓ 201  POST   /v1/widget/bookings .*",
        r"    ✓ 401  GET    /v1/bookings +no credential",
        r"    ✓   told: missing +our log: missing",
        r"    ✓   told: invalid_token +our log: bad_checksum",
        r"    ✓   told: insufficient_scope, needs analytics:read +our log: insufficient_scope",
        r"    ✓   told: invalid_token +our log: revoked",
        r"    ✓ refused \d\.\d s after it was revoked; the bound is 2 s.*",
        r"    ✓ 404  GET    /v1/bookings/bk_\w+ +test: no such booking",
        r"35 of 35 expectations held, in \d+\.\d s\.",
    ],
)
def test_what_is_told(told, line):
    assert re.search(f"(?m)^{line}$", told), told


def test_secrets_are_masked_and_lines_fit_on_a_slide(told):
    assert not re.search(r"kts?_(live|test)_\w{5,}", told)
    assert not re.search(r"eyJ[\w-]{10,}", told)
    assert max(map(len, told.splitlines())) <= 100
    assert "\x1b" not in told


def test_without_curl_it_says_so(tmp_path):
    for program in ("sh", "env"):
        found = next(p for d in os.get_exec_path() if os.path.exists(p := os.path.join(d, program)))
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / program).symlink_to(found)
    demo = start(tmp_path, PATH=str(tmp_path / "bin"))
    output, errors = demo.communicate(timeout=100)
    assert demo.returncode == 0, output + errors
    assert "there is no curl here: httpx sends what curl would" in output


@pytest.mark.parametrize(
    ("step", "ending"),
    [
        ("flask bootstrap", signal.SIGINT),
        ("flask client create", signal.SIGINT),
        ("granian", signal.SIGTERM),
        ("The token opens", signal.SIGINT),
    ],
)
def test_an_interrupted_demo_leaves_nothing(tmp_path, step, ending):
    demo = start(tmp_path)
    for line in demo.stdout:
        if step in line:
            break
    time.sleep(0.1)
    children = psutil.Process(demo.pid).children(recursive=True)
    demo.send_signal(ending)
    output, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130, output + errors
    assert output.endswith("Interrupted; everything is cleaned up.\n")
    assert (errors, list(tmp_path.iterdir())) == ("", [])
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
