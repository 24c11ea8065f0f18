"""The command line: what it prints, where, and with which exit status (CONTRACT §1)."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.support import forked
from tests.support.installation import ROOT, process_environ

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def organization(installation):
    return installation.organization(scopes=["rooms:read", "rooms:write"])


def test_a_client_from_creation_to_deletion(flask, installation):
    made = flask.json(
        "client", "create", "--name", "svc", "--scope", "bookings:read reports:read",
        "--scope", "bookings:create", "--token-ttl", "10m",
    )  # fmt: skip
    assert made["scopes"] == ["bookings:create", "bookings:read", "reports:read"]
    assert made["token_ttl"] == 600
    assert RFC_3339.fullmatch(made["created_at"])
    client_id = made["client_id"]
    got = installation.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(client_id, made["client_secret"]),
    )
    assert got.status_code == 200
    assert client_id in flask.ok("client", "list")
    shown = flask.json("client", "show", client_id)
    assert shown == {name: made[name] for name in shown}
    assert "client_secret" not in shown
    changed = flask.json("client", "update", client_id, "--name", "new", "--default-token-ttl")
    assert (changed["name"], changed["token_ttl"]) == ("new", None)
    second = flask.json("client", "rotate-secret", client_id, "--grace", "0", "--note", "laptop")
    assert second["client_secret"].startswith("kts_live_")
    listed = flask.json("client", "secrets", client_id)["data"]
    assert [secret["status"] for secret in listed] == ["active", "revoked"]
    flask.ok("client", "remove-secret", client_id, second["id"])
    assert flask.json("client", "disable", client_id)["status"] == "disabled"
    assert flask.json("client", "enable", client_id)["status"] == "active"
    flask.ok("client", "delete", client_id)
    flask.ok("client", "delete", client_id)
    assert "No such client" in flask.refused("client", "show", client_id)


def test_a_key_from_creation_to_revocation(flask):
    made = flask.json(
        "key", "create", "--name", "site", "--scope", "bookings:read", "--environment", "test",
        "--expires-in", "90d", "--allow-ip", "10.0.0.0/8", "--allow-domain", "*.example.com",
        "--rate-limit", "100/minute", "--rate-limit", "5/second:widget",
    )  # fmt: skip
    assert made["key"].startswith("kt_test_")
    assert made["allowed_ips"] == ["10.0.0.0/8"]
    assert made["rate_limits"][1] == {"limit": 5, "window": "second", "class": "widget"}
    good = ("--ip", "10.1.1.1", "--origin", "https://a.example.com")
    assert "BLOCKS" not in flask.ok("key", "inspect", *good, stdin=made["key"] + "\n")
    blocked = flask("key", "inspect", "--ip", "192.0.2.1", stdin=made["key"])
    assert blocked.exit_code == 1
    assert "network" in blocked.stderr
    blocked = flask("key", "inspect", "--needs", "bookings:write", "--environment", "live",
                    stdin=made["key"])  # fmt: skip
    assert blocked.exit_code == 1
    assert "lacks bookings:write" in blocked.stdout
    assert "use a key of live" in blocked.stdout
    assert flask("key", "inspect", stdin="").exit_code == 2
    assert flask.json("key", "show", made["id"])["last_four"] == made["key"][-4:]
    changed = flask.json("key", "update", made["id"], "--any-ip", "--no-rate-limit")
    assert changed["allowed_ips"] == changed["rate_limits"] == []
    successor = flask.json("key", "rotate", made["id"], "--grace", "1h", "--reason", "leaver")
    assert successor["rotated_from"] == made["id"]
    assert "rotated already" in flask.refused("key", "rotate", made["id"])
    assert flask.json("key", "disable", successor["id"])["status"] == "disabled"
    assert flask.json("key", "enable", successor["id"])["status"] == "active"
    for _ in range(2):
        assert flask.json("key", "revoke", successor["id"], "--reason", "x")["status"] == "revoked"
    listed = flask.json("key", "list", "--status", "revoked")["data"]
    assert [key["id"] for key in listed] == [successor["id"]]
    assert made["key"] not in flask.ok("key", "list")


def test_what_an_organization_asks_of_its_keys(flask, organization):
    whose = ("--org", organization)
    assert set(flask.json("key-policy", "show", *whose).values()) == {None}
    asked = ("--rotate-after", "90", "--warn-inactive", "30", "--on-leak", "grace")
    changed = flask.json("key-policy", "update", *asked, *whose)
    assert (changed["rotate_after_days"], changed["on_leak"]) == (90, "grace")
    changed = flask.json("key-policy", "update", "--rotate-after", "never", *whose)
    assert (changed["rotate_after_days"], changed["warn_inactive_days"]) == (None, 30)
    for action in ("tell", "revoke"):
        flask.ok("key-policy", "update", "--on-leak", action, *whose)
        assert flask.json("key-policy", "show", *whose)["on_leak"] == action
    assert flask("key-policy", "update", "--on-leak", "shrug", *whose).exit_code == 2
    assert flask("key-policy", "update", *whose).exit_code == 2


def test_organizations_plans_and_what_they_hold(flask):
    plan = flask.json("plan", "create", "--name", "Growth", "--max-active-keys", "1")
    made = flask.json(
        "org", "create", "--name", "Acme Ltd", "--plan", "Growth", "--environment", "live",
        "--key-template", '{"prefix": "ac", "checksum": "none"}',
    )  # fmt: skip
    assert made["plan_id"] == plan["id"]
    flask.ok("scope", "add", "tours:read", "--description", "See tours", "--org", "Acme Ltd")
    flask.ok("scope", "add", "tours:write", "--implies", "tours:read", "--org", made["id"])
    flask.ok("preset", "create", "all", "--scope", "tours:*", "--org", "Acme Ltd")
    flask.ok(
        "resource", "create", "https://tours.example", "--scope", "tours:*", "--org", made["id"]
    )
    key = flask.json("key", "create", "--name", "x", "--preset", "all", "--org", "Acme Ltd")
    assert re.fullmatch(r"ac_live_[0-9A-Za-z]{32}", key["key"])
    assert key["scopes"] == ["tours:read", "tours:write"]
    more = ("key", "create", "--name", "y", "--preset", "all", "--org", "Acme Ltd")
    assert "plan" in flask.refused(*more)
    flask.ok("plan", "update", "Growth", "--no-cap")
    flask.ok(*more)
    assert "Still named by" in flask.refused("scope", "remove", "tours:read", "--org", made["id"])
    for found in (("--plan", "Growth"), ("--search", "acme")):
        assert [one["id"] for one in flask.json("org", "list", *found)["data"]] == [made["id"]]
    assert flask.json("org", "list", "--search", "cme")["data"] == []
    assert flask.json("org", "update", "Acme Ltd", "--status", "suspended")["status"] == "suspended"
    assert flask.json("org", "update", made["id"], "--no-plan")["plan_id"] is None
    flask.ok("plan", "delete", "Growth")
    assert "Acme Ltd" in flask.ok("org", "list")
    assert flask.json("org", "show", "Acme Ltd")["id"] == made["id"]
    # What another organization holds is not seen without naming it.
    assert "No such API key" in flask.refused("key", "show", key["id"])
    assert "No such organization" in flask.refused("key", "list", "--org", "Nobody")


def test_scopes_presets_and_resources(flask, organization):
    at = ("--org", organization)
    names = [scope["name"] for scope in flask.json("scope", "list", *at)["data"]]
    assert names == ["rooms:read", "rooms:write"]
    assert "keyturn:clients:read" in flask.ok("scope", "list", "--all", *at)
    flask.ok("preset", "create", "web", "--scope", "rooms:read", *at)
    assert flask.json("preset", "update", "web", "--scope", "rooms:*", *at)["scopes"] == ["rooms:*"]
    shown = flask.json("preset", "show", "web", *at)
    assert [(one["scope"], one["by"]) for one in shown["opens"]] == [
        ("rooms:read", "rooms:*"), ("rooms:write", "rooms:*")
    ]  # fmt: skip
    assert "rooms:write  rooms:*" in flask.ok("preset", "show", "web", *at)
    assert "web" in flask.ok("preset", "list", *at)
    flask.ok("preset", "delete", "web", *at)
    made = flask.json("resource", "create", "https://a.example", "--scope", "rooms:*", *at)
    assert flask.json("resource", "update", made["id"], "--no-scope", *at)["scopes"] == []
    assert flask.json("resource", "show", made["id"], *at)["identifier"] == "https://a.example"
    assert made["id"] in flask.ok("resource", "list", *at)
    flask.ok("resource", "delete", made["id"], *at)
    changed = flask.json(
        "scope", "update", "rooms:write", "--implies", "rooms:read", "--public", *at
    )
    assert (changed["implies"], changed["public"]) == (["rooms:read"], True)
    assert flask.json("scope", "show", "rooms:write", *at) == changed | {"named_by": []}
    naming = {"type": "scope", "id": "rooms:write", "name": "rooms:write"}
    assert flask.json("scope", "show", "rooms:read", *at)["named_by"] == [naming]
    assert "scope  rooms:write" in flask.ok("scope", "show", "rooms:read", *at)
    assert "still named by" in flask.refused("scope", "remove", "rooms:read", *at).lower()
    changed = flask.json("scope", "update", "rooms:write", "--implies-nothing", *at)
    assert (changed["implies"], changed["public"]) == ([], True)
    flask.ok("scope", "remove", "rooms:read", *at)


def test_users(flask, organization):
    at = ("--org", organization)
    made = flask.json("user", "create", "--email", "a@cli.example", "--role", "auditor", *at)
    again = flask.json("user", "reset", made["id"], *at)
    assert made["sign_in_secret"] != again["sign_in_secret"]
    assert RFC_3339.fullmatch(again["sign_in_expires_at"])
    assert "a@cli.example" in flask.ok("user", "list", *at)
    assert "sign_in_secret" not in flask.json("user", "show", made["id"], *at)
    assert flask.json("user", "update", made["id"], "--role", "admin", *at)["role"] == "admin"
    assert flask.json("user", "disable", made["id"], *at)["status"] == "disabled"
    assert flask.json("user", "enable", made["id"], *at)["status"] == "active"
    flask.ok("user", "remove", made["id"], *at)
    flask.refused("user", "show", made["id"], *at)


def test_signing_keys(flask):
    before = {key["stage"]: key["kid"] for key in flask.json("signing-key", "list")["data"]}
    assert before.keys() == {"current", "next"}
    assert flask.json("signing-key", "rotate")["kid"] == before["next"]
    retired = flask.json("signing-key", "retire", before["current"], "--reason", "leaked")
    assert retired["stage"] == "retired"
    assert "private" not in flask.ok("signing-key", "list", "--json")


@pytest.mark.parametrize("kid", ["-AM6sUkO3dBN7zS1XaMIcDnW7N", "--reaSon", "-"])
def test_a_kid_may_look_like_an_option(flask, kid):
    refused = flask("signing-key", "retire", kid, "--reason", "leaked")
    assert refused.exit_code == 1
    assert "Traceback" not in refused.output


def test_the_activity_log(flask, organization):
    lines = flask.ok("audit", "tail", "-n", "2", "--org", organization, "--json").splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["target"]["id"] for event in events] == ["rooms:read", "rooms:write"]
    assert events[0]["actor"] == {"type": "operator", "id": "tests"}
    flask.ok("scope", "add", "rooms:seen", "--org", organization)
    [line] = flask.ok("audit", "tail", "-n", "1", "--type", "scope.*").splitlines()
    assert "scope.added" in line
    assert "operator:command-line -> scope:rooms:seen" in line
    assert flask.ok("audit", "tail", "-n", "0") == ""


@pytest.mark.parametrize("arguments", [
    ("client", "create"),
    ("client", "create", "--name", "x", "--auth-method", "none"),
    ("client", "create", "--name", "x", "--scope", "bookings:read", "--token-ttl", "soon"),
    ("client", "list", "--limit", "0"),
    ("client", "update", "client_x"),
    ("client", "update", "client_x", "--audience", "https://a.example", "--any-audience"),
    ("key", "create", "--name", "x", "--expires-in", "-5"),
    ("key", "update", "key_x"),
    ("org", "create", "--name", "x", "--key-template", "[]"),
    ("org", "create", "--name", "x", "--key-template", "{"),
    ("org", "update", "x"),
    ("preset", "create", "x"),
    ("preset", "update", "x"),
    ("plan", "update", "x"),
    ("resource", "update", "res_x"),
    ("scope", "update", "x:y"),
    ("user", "create", "--email", "a@b.example", "--role", "god"),
    ("user", "update", "usr_x"),
    ("audit", "tail", "-n", "1000"),
    ("nothing",),
])  # fmt: skip
def test_wrong_usage_is_exit_status_2(flask, arguments):
    result = flask(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [
    ("client", "create", "--name", "x"),
    ("client", "create", "--name", "x", "--scope", "nothing:there"),
    ("client", "create", "--name", "x\x1b[2J", "--scope", "bookings:read"),
    ("client", "create", "--name", "x", "--scope", "bookings:read", "--preset", "p"),
    ("client", "show", "client_x"),
    ("client", "list", "--cursor", "x"),
    ("key", "create", "--name", "x", "--scope", "bookings:read", "--allow-ip", "x"),
    ("key", "rotate", "key_x", "--grace", "9999d"),
    ("org", "show", "org_x"),
    ("scope", "add", "keyturn:x"),
    ("signing-key", "retire", "x"),
    ("signing-key", "rotate", "--algorithm", "none"),
])  # fmt: skip
def test_a_refusal_is_one_line_and_exit_status_1(flask, arguments):
    flask.refused(*arguments)


def test_every_command_says_what_it_does(flask, installation):
    groups = installation.app.cli.commands
    ours = ["client", "key", "org", "scope", "preset", "resource", "plan", "user", "audit",
            "signing-key"]  # fmt: skip
    for name in ours:
        for command in groups[name].commands.values():
            assert (command.help or "").strip(), (name, command.name)
        assert groups[name].help


def run(environ, *arguments, stdin=""):
    return forked.run(arguments, process_environ(environ), stdin)


def test_as_people_call_it(installation):
    made = subprocess.run(
        [sys.executable, "-m", "flask", "key", "create", "--name", "x", "--scope", "bookings:read"],
        cwd=ROOT, env=process_environ(installation.environ), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    [key] = re.findall(r"^key +(kt_live_\S+)$", made.stdout, re.MULTILINE)
    assert key not in made.stderr
    assert "shown this once" in made.stderr
    found = run(installation.environ, "key", "inspect", "--json", stdin=key)
    assert json.loads(found.stdout)["passed"] is True
    refused = run(installation.environ, "client", "show", "client_x", "--json")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("keyturn: No such client: `flask client list`")
    assert refused.stderr.count("\n") == 1
    assert run(installation.environ, "client", "create").returncode == 2


def test_before_the_first_start(installation, tmp_path):
    empty = installation.environ | {"KEYTURN_DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"}
    refused = run(empty, "client", "list")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("keyturn: ")
    assert "flask bootstrap" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
