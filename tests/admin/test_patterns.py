"""``flask key patterns``: what it prints is read by each scanner's format, and finds our keys."""

import json
import re
import tomllib

import pytest
import yaml

from keyturn import DEFAULT_API_KEY, DEFAULT_CLIENT_SECRET, KeyTemplate

OTHERS = {
    "el": {"prefix": "el", "alphabet": "base36", "checksum_length": 4},
    "sk_rsv": {"prefix": "sk_rsv", "environments": []},
    "bare": {"prefix": "bare", "environments": [], "checksum": "none", "length": 40},
    "": {"prefix": "", "environments": [], "checksum": "none"},
}


@pytest.fixture(scope="module")
def printed(installation):
    for template in OTHERS.values():
        installation.change_organization(installation.organization(), key_template=template)
    bare = {"prefix": "bs", "environments": []}
    installation.organization(environments=["production", "staging"], key_template=bare)
    runner = installation.app.test_cli_runner()

    def run(*arguments):
        done = runner.invoke(args=["key", "patterns", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def from_gitleaks(text):
    rules = tomllib.loads(text)["rules"]
    return [(rule["keywords"], rule["regex"], rule["secretGroup"]) for rule in rules]


def from_trufflehog(text):
    rules = yaml.safe_load(text)["detectors"]
    return [(rule["keywords"], rule["regex"]["key"], 1) for rule in rules]


def from_github(text):
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        around = [fields[name].replace(r"\z", r"\Z") for name in ("Before secret", "After secret")]
        regex = f"(?:{around[0]})({fields['Secret format']})(?:{around[1]})"
        found.append(([""], regex, 1))
    return found


def from_json(text):
    return [([one["keyword"]], f"({one['regex']})", 1) for one in json.loads(text)["data"]]


READERS = {
    "gitleaks": (("--for", "gitleaks"), from_gitleaks),
    "trufflehog": (("--for", "trufflehog"), from_trufflehog),
    "github": (("--for", "github"), from_github),
    "json": (("--json",), from_json),
}


def find(rules, text):
    return {
        match[group]
        for keywords, regex, group in rules
        if any(keyword in text for keyword in keywords)
        for match in re.finditer(regex, text)
    }


def made(template):
    return template.generate(template.environments[0] if template.environments else None)


@pytest.mark.row("S0-8", "S4-5")
@pytest.mark.parametrize("format", READERS)
def test_every_key_with_a_prefix_is_found(printed, format):
    arguments, read = READERS[format]
    rules = read(printed(*arguments))
    own = [DEFAULT_API_KEY, DEFAULT_CLIENT_SECRET]
    for template in own + [KeyTemplate.of(one) for name, one in OTHERS.items() if name]:
        for key in (made(template) for _ in range(20)):
            for text in (key, f'KEY="{key}"', f"a\n{key}\nb", f"https://x.example/?k={key}&y=1"):
                assert find(rules, text) == {key}, (template, text)


@pytest.mark.parametrize("format", READERS)
def test_client_secrets_of_every_environment_are_found(printed, format):
    arguments, read = READERS[format]
    rules = read(printed(*arguments))
    for environment in ("live", "test", "production", "staging"):
        secret = KeyTemplate(prefix="kts", environments=(environment,)).generate(environment)
        assert find(rules, f"a = '{secret}'") == {secret}


@pytest.mark.parametrize("format", READERS)
def test_what_is_no_key_is_not_found(printed, format):
    arguments, read = READERS[format]
    rules = read(printed(*arguments))
    key = made(DEFAULT_API_KEY)
    opaque = made(KeyTemplate.of(OTHERS[""]))
    for text in (key[:-8], opaque, "kt_live_short", "0" * 64):
        assert find(rules, f"a = '{text}'") == set()


def test_no_two_rules_have_one_name(printed):
    ids = [one["id"] for one in json.loads(printed("--json"))["data"]]
    assert len(set(ids)) == len(ids) >= 5
