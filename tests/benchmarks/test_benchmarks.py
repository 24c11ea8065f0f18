"""The benchmarks run and print their tables; how fast anything is, no test decides."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHORT = ["--seconds", "0.3", "--rounds", "1", "--connections", "4", "--load", "python"]


def printed_by(*command):
    ended = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-6000:]
    return ended.stdout


def line(printed, name):
    """The figures behind a name in a table."""
    found = (line.strip() for line in printed.splitlines() if line.strip().startswith(name))
    return next(found, name).removeprefix(name).split()


@pytest.mark.timeout(300)
def test_a_very_short_run_over_sockets_prints_its_table():
    printed = printed_by("benchmarks", "tokens", *SHORT)
    for name in (
        "Keyturn, everything on",
        "Keyturn, as installed",
        "WSGI, constant answer",
        "WSGI, one signature",
        "Flask view, one signature",
        "Authlib's Flask server",
        "– without saving tokens",
    ):
        assert len(line(printed, name)) == 11, printed
    # npm's package is there after `make bench`, and is else said not to be.
    assert len(line(printed, "oidc-provider ")) == 11 or "oidc-provider is not measured" in printed
    assert "Memory of our worker" in printed
    assert "requests failed" not in printed, printed


@pytest.mark.timeout(300)
def test_the_other_sections_print_theirs():
    printed = printed_by(
        "benchmarks", "workers", "introspection", "clients", "--clients", "80", *SHORT
    )
    for name, figures in (
        ("One core, one worker and load", 9),
        ("Two cores, two workers and load", 9),
        ("One signature: two cores", 9),
        ("Introspection of a JWT", 8),
        ("Introspection of an API key", 8),
        ("40 registered, 40 of them ask", 9),
        ("80 registered, 80 of them ask", 9),
    ):
        assert len(line(printed, name)) == figures, printed
    assert "requests failed" not in printed, printed


@pytest.mark.timeout(300)
def test_a_very_short_run_in_process_prints_its_tables():
    short = ["--seconds", "0.002", "--rounds", "1", "--clients", "40", "--events", "100"]
    printed = printed_by("benchmarks.inprocess", *short)
    for name in (
        "whole WSGI call of a grant",
        "form reading",
        "client authentication",
        "decision, remembered",
        "claims as JSON",
        "signature, as compact JWS",
        "journal line: JSON and write",
        "bare ES256 signature check",
        "Keyturn TokenVerifier, cold",
        "an event, 100 there before",
        "40 registered, all ask, all remembered",
    ):
        assert len(line(printed, name)) == 4, printed


@pytest.mark.timeout(300)
def test_verification_prints_its_table():
    printed = printed_by("benchmarks", "verification", *SHORT)
    for name in (
        "bare ES256 signature check",
        "Keyturn TokenVerifier, cold",
        "Keyturn Verifier, warm token",
        "Keyturn Verifier, key from cache",
        "– the status check alone",
        "PyJWT and PyJWKClient",
        "joserfc",
        "Authlib's ResourceProtector",
    ):
        assert len(line(printed, name)) == 3, printed
    # npm's packages are there after `make bench`, and are else said not to be.
    for name in ("npm jose, cold", "npm fast-jwt, cold", "npm fast-jwt, warm"):
        assert "are not measured" in printed or len(line(printed, name)) >= 3, printed


@pytest.mark.timeout(300)
def test_revocation_prints_its_table():
    printed = printed_by("benchmarks", "revocation", *SHORT)
    assert len(line(printed, "20 client secrets")) == 3, printed


@pytest.mark.timeout(300)
def test_the_pages_of_the_dashboard_are_measured():
    amounts = ["--clients", "60", "--keys", "60", "--events", "100", "--rounds", "1"]
    printed = printed_by("benchmarks.pages", *amounts)
    for path in ("/clients ", "/api-keys ", "/activity ", "/activity?reason=nothing"):
        status, *figures = line(printed, path)
        assert (status, len(figures)) == ("200", 2), printed
    assert " 404 " not in printed
    assert " 500 " not in printed
