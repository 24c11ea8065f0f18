"""Manners of the command line: on a terminal, in a pipe, with NO_COLOR, completed by a shell."""

import json
import os
import pty
import re
import select
import time

import pytest

from tests.operations.conftest import flask, process
from tests.support import forked
from tests.support.installation import process_environ

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(installation, *arguments, **environ):
    """What a person sees, both outputs together, and the exit status."""
    ours, theirs = pty.openpty()
    sent = process_environ(
        {**installation.environ, "TERM": "xterm-256color", "COLUMNS": "120", **environ}
    )
    running = forked.begin(arguments, sent, output=theirs, given=theirs)
    os.close(theirs)
    seen, deadline = b"", time.monotonic() + 90
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 0.5)[0]:
            continue
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux' way to say that nobody writes any more
            break
        if not part:
            break
        seen += part
    os.close(ours)
    return running.wait(30), seen.decode()


@pytest.fixture(scope="module")
def filled(installation):
    installation.client(name="[red]brackets[/red]")
    disabled = installation.client(name="stopped")
    installation.disable(disabled.client_id)
    return installation


def test_a_terminal_gets_a_table_in_colour(filled):
    status, seen = on_a_terminal(filled, "client", "list")
    assert status == 0
    assert COLOUR.search(seen)
    plain = ESCAPE.sub("", seen)
    assert "─" in plain
    assert "[red]brackets[/red]" in plain  # what somebody typed is no markup
    assert re.search(r"stopped.* disabled ", plain)


def test_no_color_is_respected(filled):
    status, seen = on_a_terminal(filled, "client", "list", NO_COLOR="1")
    assert (status, COLOUR.search(seen)) == (0, None)
    assert "disabled" in seen


def test_a_pipe_gets_plain_text(filled):
    done = process(filled, "client", "list")
    assert "\x1b" not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    at = lines[0].index("name")
    assert any(line[at:].startswith("[red]brackets[/red]") for line in lines)
    assert {line[at - 2 : at] for line in lines} == {"  "}


@pytest.mark.parametrize("arguments", [("client", "list"), ("org", "list"), ("key-policy", "show")])
def test_json_is_the_same_everywhere(filled, arguments):
    status, seen = on_a_terminal(filled, *arguments, "--json")
    assert status == 0
    assert json.loads(seen) == json.loads(process(filled, *arguments, "--json").stdout)


def test_one_object_is_shown_field_by_field(filled):
    _, seen = on_a_terminal(filled, "key-policy", "show")
    assert re.search(r"rotate_after_days\s+-", ESCAPE.sub("", seen))
    assert "rotate_after_days" in flask(filled, "key-policy", "show").stdout


def test_what_strangers_send_does_not_steer_the_terminal(filled):
    evil = "a\x1b]0;owned\x07b\x1b[2Jc"
    shown = filled.app.test_cli_runner()
    from app.cli.terminal import print_table

    with filled.app.app_context(), shown.isolation() as (out, *_):
        print_table([{"agent": evil}], ("agent",))
        text = out.getvalue().decode()
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "owned" in text


def test_long_work_shows_how_far_it_is_and_only_to_people(filled, tmp_path):
    export = tmp_path / "export.jsonl"
    status, seen = on_a_terminal(filled, "backup", str(tmp_path / "one"))
    assert (status, "clients" in seen, "\x1b" in seen) == (0, True, True)
    quiet = process(filled, "backup", str(tmp_path / "two"))
    assert (quiet.returncode, quiet.stderr) == (0, "")
    exported = process(filled, "audit", "export")
    assert exported.stderr == ""
    export.write_text(exported.stdout)
    jwks = tmp_path / "jwks.json"
    jwks.write_text(filled.http.get("/.well-known/jwks.json").text)
    status, seen = on_a_terminal(filled, "audit", "verify", str(export), "--jwks", str(jwks))
    assert (status, "Whole" in seen, "lines" in seen) == (0, True, True)


def asked_by_a_shell(installation, instruction, **environ):
    """What the command answers a shell that completes it."""
    sent = process_environ({**installation.environ, "_FLASK_COMPLETE": instruction, **environ})
    done = forked.run([], sent)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("shell", "words", "offered"),
    [
        ("bash", "flask cl", "client"),
        ("bash", "flask key-policy update --ser", "--service-keys"),
        ("bash", "flask client create --auth-method pri", "private_key_jwt"),
        ("zsh", "flask client li", "list"),
        ("fish", "flask usage requests --outcome li", "limited"),
    ],
)
def test_a_shell_completes_commands_options_and_values(filled, shell, words, offered):
    last = words.split()[-1] if shell == "fish" else str(len(words.split()) - 1)
    told = asked_by_a_shell(filled, f"{shell}_complete", COMP_WORDS=words, COMP_CWORD=last)
    assert offered in told


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(filled, shell):
    assert "_FLASK_COMPLETE" in asked_by_a_shell(filled, f"{shell}_source")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["client", "show", "client_x"], "No such client: `flask client list` lists them"),
        (["key", "revoke", "key_x"], "No such API key: `flask key list` lists them"),
        (["key", "list", "--org", "Nobody"], "No such organization: `flask org list` lists them"),
        (["plan", "show", "plan_x"], "No such plan: `flask plan list`"),
    ],
)
def test_an_error_says_what_to_do_next(filled, arguments, says):
    done = flask(filled, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
