"""``flask audit``: what an operator types, and an auditor who has nothing but two files."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.audit.conftest import INSTALLATION, Audited, checkpoints_of, events_of
from tests.support import forked
from tests.support.installation import ROOT, installed, process_environ


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture
def flask(house, tmp_path, monkeypatch):
    """``flask ARGUMENTS`` in this process, in the auditor's directory."""
    monkeypatch.chdir(tmp_path)
    runner = house.app.test_cli_runner()
    return lambda *arguments, **also: runner.invoke(args=list(arguments), **also)


@pytest.fixture
def at_the_auditors(house, flask, tmp_path):
    """An empty directory with an export and the public keys."""
    audited = Audited(house)
    audited.tokens(2)
    made = flask("audit", "export")
    assert made.exit_code == 0, made.stderr
    (tmp_path / "export.jsonl").write_bytes(made.stdout_bytes)
    (tmp_path / "jwks.json").write_text(json.dumps(audited.jwks()))
    return tmp_path


def exported(result):
    assert result.exit_code == 0, result.stderr
    return result.stdout_bytes.splitlines(keepends=True)


def test_an_auditor_needs_two_files_and_nothing_is_left_behind(at_the_auditors):
    """In a process of its own, where there is no installation: no database, no master key."""
    command = [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), "audit", "verify"]
    done = subprocess.run(
        [*command, "export.jsonl", "--jwks", "jwks.json"],
        cwd=at_the_auditors, env=process_environ({"PYTHONPATH": str(ROOT)}),
        capture_output=True, timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Whole: nothing was changed" in done.stdout
    assert sorted(os.listdir(at_the_auditors)) == ["export.jsonl", "jwks.json"]


def test_it_is_piped_from_one_process_into_another(house, at_the_auditors):
    environ = process_environ(house.environ)
    export = forked.run(["audit", "export"], environ)
    assert (export.returncode, export.stderr) == (0, "")
    jwks = str(at_the_auditors / "jwks.json")
    verify = forked.run(["audit", "verify", "-", "--jwks", jwks], environ, export.stdout)
    assert (verify.returncode, verify.stderr) == (0, "")


def test_what_was_found_is_exit_status_1(flask, at_the_auditors):
    lines = (at_the_auditors / "export.jsonl").read_bytes().splitlines(keepends=True)
    third = next(n for n, line in enumerate(lines) if b'"sequence":3,' in line)
    (at_the_auditors / "export.jsonl").write_bytes(b"".join(lines[:third] + lines[third + 1 :]))
    done = flask("audit", "verify", "export.jsonl", "--jwks", "jwks.json")
    assert done.exit_code == 1
    assert "row 3 is not where expected: removed or moved" in done.stdout
    assert done.stderr.startswith("keyturn: export.jsonl: not what was written")
    assert done.stderr.count("\n") == 1
    as_json = flask("audit", "verify", "export.jsonl", "--jwks", "jwks.json", "--json")
    assert as_json.exit_code == 1
    report = json.loads(as_json.stdout)
    assert report["whole"] is False
    assert report["findings"]


def test_what_is_no_key_set_is_refused(flask, at_the_auditors):
    (at_the_auditors / "jwks.json").write_text("[]")
    done = flask("audit", "verify", "export.jsonl", "--jwks", "jwks.json")
    assert done.exit_code == 1
    assert done.stderr.startswith("keyturn: jwks.json is no JWK Set")


def test_without_keys_it_is_a_matter_of_usage(flask, at_the_auditors):
    assert flask("audit", "verify", "export.jsonl").exit_code == 2
    assert flask("audit", "verify", "none.jsonl", "--jwks", "jwks.json").exit_code == 2


def test_a_key_set_of_before_and_one_of_now(house, flask, at_the_auditors):
    """Who keeps the keys that were published can check what they have signed for ever."""
    audited = Audited(house)
    audited.checkpoint()
    (at_the_auditors / "then.json").write_text(json.dumps(audited.jwks()))
    house.rotate_signing_key()
    for previous in house.rows("SELECT kid FROM signing_keys WHERE stage = 'previous'"):
        house.retire_signing_key(previous.kid)
    (at_the_auditors / "now.json").write_text(json.dumps(audited.jwks()))
    (at_the_auditors / "export.jsonl").write_bytes(flask("audit", "export").stdout_bytes)
    command = ("audit", "verify", "export.jsonl", "--jwks", "now.json")
    alone = flask(*command)
    assert alone.exit_code == 0
    assert "1 not checkable" in alone.stdout
    both = flask(*command, "--jwks", "then.json")
    assert both.exit_code == 0
    assert "not checkable" not in both.stdout


def test_one_organization(house, flask, tmp_path):
    other = house.organization("Acme", scopes=["a:b"])
    for name in (other, "Acme"):
        events = events_of(exported(flask("audit", "export", "--org", name)))
        assert {event["stream"] for event in events} == {other}
        assert len(events) == 2
    (tmp_path / "earlier.jsonl").write_bytes(flask("audit", "export").stdout_bytes)
    house.scope("c:d", organization=other)
    later = exported(flask("audit", "export", "--org", "Acme", "--after", "earlier.jsonl"))
    assert [event["sequence"] for event in events_of(later)] == [3]
    (tmp_path / "earlier.jsonl").write_text("no export")
    refused = flask("audit", "export", "--after", "earlier.jsonl")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("keyturn: The earlier export does not begin with")
    nobodys = events_of(exported(flask("audit", "export", "--org", INSTALLATION)))
    assert {event["stream"] for event in nobodys} == {INSTALLATION}
    everything = events_of(exported(flask("audit", "export", "--all")))
    assert {event["stream"] for event in everything} > {INSTALLATION, other}
    unknown = flask("audit", "export", "--org", "Nobody")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    both = flask("audit", "export", "--org", other, "--all")
    assert (both.exit_code, both.stdout) == (2, "")


def test_a_checkpoint_now(house, flask, at_the_auditors):
    house.client()
    made = flask("audit", "checkpoint", "--json")
    assert made.exit_code == 0, made.stderr
    (at_the_auditors / "kept.json").write_bytes(made.stdout_bytes)
    (one,) = [
        one for one in json.loads(made.stdout)["data"] if one["stream"] == house.organization_id
    ]
    house.client()
    lines = exported(flask("audit", "export"))
    assert one["checkpoint"] in checkpoints_of(lines)
    assert house.organization_id in flask("audit", "checkpoint").stdout
    assert json.loads(flask("audit", "checkpoint", "--json").stdout) == {"data": []}
    (at_the_auditors / "export.jsonl").write_bytes(b"".join(lines))
    command = ("audit", "verify", "export.jsonl", "--jwks", "jwks.json", "--earlier", "kept.json")
    assert flask(*command).exit_code == 0


def test_an_earlier_checkpoint_that_knows_more_than_the_export(house, flask, at_the_auditors):
    house.client()
    (at_the_auditors / "kept.json").write_bytes(flask("audit", "checkpoint", "--json").stdout_bytes)
    command = ("audit", "verify", "export.jsonl", "--jwks", "jwks.json", "--earlier", "kept.json")
    done = flask(*command)
    assert done.exit_code == 1
    assert "rows were cut off" in done.stdout


def test_nothing_is_exported_where_nothing_is_set_up(tmp_path):
    from app import create_app
    from app.settings import Settings
    from app.wiring import services

    app = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'none.db'}"))
    for command in ("export", "checkpoint"):
        done = app.test_cli_runner().invoke(args=["audit", command])
        assert done.exit_code == 1
        assert "flask bootstrap" in done.stderr
        assert done.stdout == ""
    services(app).store.engine.dispose()


def test_why_a_request_was_refused(flask, house):
    client = house.client(["bookings:read"])
    form = {"grant_type": "client_credentials", "scope": "bookings:write"}
    answer = house.http.post("/oauth/token", data=form, auth=client)
    house.services.shipper.ship_now()
    told = flask("audit", "why", answer.headers["X-Request-Id"])
    assert told.exit_code == 0
    assert f"client:{client.client_id}" in told.stdout
    assert "for no more than the client holds" in told.stdout
    nothing = flask("audit", "why", "req_nothing")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert "No refusal under this id" in nothing.stderr
