"""How scanners of code find our keys: the templates as rules of theirs.

Keys without a prefix cannot be told from other text: there is no rule for them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.admin.desk import Desk
from keyturn.apikey import KeyTemplate

BEFORE = r"\A|[^0-9A-Za-z_]"
AFTER = r"\z|[^0-9A-Za-z_]"
"""What stands around a key; GitHub asks for it apart from the key itself."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One rule."""

    id: str
    description: str
    regex: str
    """Of the key alone, in what RE2, Hyperscan and PCRE have in common."""
    keyword: str
    """What a text must hold to be searched at all."""


def known_patterns(desk: Desk) -> list[Pattern]:
    """Of every template that some organization has or has had, and of client secrets."""
    return patterns(desk.directory.templates())


def patterns(templates: Iterable[KeyTemplate]) -> list[Pattern]:
    """A rule for each template that has a prefix."""
    count: Counter[str] = Counter()
    found = []
    for template in templates:
        if not template.prefix:
            continue
        count[template.prefix] += 1
        name = f"keyturn-{template.prefix.replace('_', '-')}"
        number = f"-{count[template.prefix]}" if count[template.prefix] > 1 else ""
        found.append(
            Pattern(
                id=f"{name}{number}",
                description=f"Keyturn credential, {template.prefix}_…",
                regex=_regex(template),
                keyword=f"{template.prefix}_",
            )
        )
    return found


def gitleaks(rules: Sequence[Pattern]) -> str:
    """A ``.gitleaks.toml`` that extends the default rules by ours."""
    lines = ['title = "Keyturn"', "", "[extend]", "useDefault = true"]
    for rule in rules:
        lines += [
            "",
            "[[rules]]",
            f"id = {json.dumps(rule.id)}",
            f"description = {json.dumps(rule.description, ensure_ascii=False)}",
            f"regex = '''{_bounded(rule)}'''",
            "secretGroup = 1",
            f"keywords = [{json.dumps(rule.keyword)}]",
        ]
    return "\n".join(lines)


def trufflehog(rules: Sequence[Pattern]) -> str:
    """Custom detectors, for ``trufflehog --config``."""
    lines = ["detectors:"]
    for rule in rules:
        lines += [
            f"  - name: {json.dumps(rule.id)}",
            f"    keywords: [{json.dumps(rule.keyword)}]",
            "    regex:",
            f"      key: {json.dumps(_bounded(rule))}",
        ]
    return "\n".join(lines)


def github(rules: Sequence[Pattern]) -> str:
    """What GitHub's form for custom patterns, and its partner programme, ask for."""
    return "\n\n".join(
        f"Pattern name: {rule.id}\n"
        f"Secret format: {rule.regex}\n"
        f"Before secret: {BEFORE}\n"
        f"After secret: {AFTER}"
        for rule in rules
    )


FORMATS: Mapping[str, Callable[[Sequence[Pattern]], str]] = {
    "gitleaks": gitleaks,
    "trufflehog": trufflehog,
    "github": github,
}


def _bounded(rule: Pattern) -> str:
    return rf"\b({rule.regex})\b"


def _regex(template: KeyTemplate) -> str:
    letters = f"[{_ranges(template.alphabet)}]"
    environments = f"(?:{'|'.join(template.environments)})_" if template.environments else ""
    checksum = f"_{letters}{{{template.checksum_length}}}" if template.checksum != "none" else ""
    return f"{template.prefix}_{environments}{letters}{{{template.length}}}{checksum}"


def _ranges(alphabet: str) -> str:
    """``0-9a-z`` for the letters of base36."""
    found: list[str] = []
    for letter in sorted(alphabet):
        if found and ord(letter) == ord(found[-1][-1]) + 1:
            found[-1] = f"{found[-1][0]}-{letter}"
        else:
            found.append(letter)
    return "".join(found)
