"""docs/errors.md and docs/widgets.md say what the code says."""

import json
import re
from pathlib import Path

import pytest

from app import errors
from app.admin.advice import ADVICE
from app.cli.advice import NEXT
from app.web.api.bodies import TooLarge
from app.web.problems import status_of
from keyturn.errors import CredentialMalformed, CredentialRefused, Reason
from tests.support import error_page
from tests.support.error_page import below, refused
from tests.support.installation import installed

DOCS = Path(__file__).parents[2] / "docs"
ERRORS = (DOCS / "errors.md").read_text()


def table(heading):
    """The rows below a heading, by their first cell."""
    section = ERRORS.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    assert rows, heading
    assert all(len(row) == len(rows[0]) and all(row) for row in rows)
    return {row[0].strip("`"): row[1:] for row in rows}


@pytest.mark.row("S2-74")
def test_every_reason_and_every_code_of_oauth_says_what_to_do():
    assert error_page.printed(ERRORS) == ERRORS, "make docs"
    assert set(Reason) <= set(table(error_page.OWNER))


def test_the_reasons_of_assertions_say_what_to_do():
    text = (DOCS / "client-authentication.md").read_text()
    named = text.split("The reasons in the activity log:")[1].split("\n\n")[0]
    assert {"replayed", "too_long"} <= set(re.findall(r"`(\w+)`", named)) <= ADVICE.keys()


@pytest.mark.row("S2-74")
def test_every_code_of_an_api_has_its_status_and_a_way_on():
    documented = table("Codes of an API, and of `/v1`")
    made = [refused(reason) for reason in Reason] + [CredentialMalformed()]
    codes = {one.code: str(one.status) for one in made if isinstance(one, CredentialRefused)}
    assert {code: row[0] for code, row in documented.items()} == codes


def test_every_code_of_the_management_api():
    documented = table("Further codes of the management API")
    ours = {
        kind.code: str(status_of(kind("")))
        for kind in below(errors.AdminError) - {errors.AdminError, errors.Forbidden}
    }
    ours[TooLarge.code] = str(status_of(TooLarge()))
    ours |= {errors.Unavailable.code: str(status_of(errors.Unavailable())), "server_error": "500"}
    assert {code: row[0] for code, row in documented.items()} == ours


def command_of(advice):
    """The commands that it names, as words."""
    return [words.split() for words in re.findall(r"`flask ([^`]+)`", advice)]


def test_what_the_command_line_says_and_what_to_do_next(shop):
    made, _ = shop
    documented = table("On the command line")
    sources = "".join(
        path.read_text()
        for folder in ("app/cli", "app/storage", "app/admin", "app/apikeys", "app/web")
        for path in (DOCS.parent / folder).rglob("*.py")
    ) + "".join((DOCS.parent / "app" / name).read_text() for name in ("settings.py", "errors.py"))
    for says, (advice,) in documented.items():
        beginning = says.removesuffix(" …").rstrip(" …")
        if beginning.startswith("No such "):
            assert f'"{beginning.removeprefix("No such ")}"' in sources, says
        else:
            assert beginning.split("The key is ")[-1] in sources, says
        for words in command_of(advice):
            command = made.app.cli
            for word in words:
                if word.isupper() or word.startswith("-"):
                    assert word.isupper() or any(word in one.opts for one in command.params)
                    continue
                command = command.get_command(None, word)
                assert command is not None, words
    assert {f"{says} …": advice for says, advice in NEXT.items()}.items() <= {
        says: advice for says, (advice,) in documented.items()
    }.items()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("shop")) as made:
        run = made.app.test_cli_runner().invoke
        text = (DOCS / "widgets.md").read_text()
        block = text.split("```console\n")[1].split("```")[0].replace("\\\n", "")
        for line in block.splitlines():
            arguments = line.removeprefix("$ .venv/bin/flask ")
            done = run(args=arguments + (" --json" if "key create" in line else ""))
            assert done.exit_code == 0, (line, done.output)
        yield made, json.loads(done.stdout)


@pytest.mark.row("S2-74")
@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ("https://shop.example.com", None),
        ("https://de.shop.example.com", None),
        ("https://evil.example", "origin_mismatch"),
        ("https://shop.example.com.evil.example", "origin_mismatch"),
        (None, "origin_mismatch"),
    ],
)
def test_the_widgets_key_is_made_as_the_page_says(shop, origin, reason):
    made, key = shop
    admin = {"Authorization": f"Bearer {made.api_key(['keyturn:*']).key}"}
    body = {"key": key["key"], "scopes": ["experiences:read"]}
    body |= {} if origin is None else {"origin": origin}
    answer = made.http.post("/v1/api-keys/verify", json=body, headers=admin).json()
    assert (answer["valid"], answer["reason"]) == (reason is None, reason)
