"""What an examination finds: a check, how it ended, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

PASS = "pass"  # noqa: S105 - how a check ends
WARN = "warn"
FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    check: str
    status: str
    message: str
    action: str | None = None


def passed(check: str, message: str) -> Finding:
    return Finding(check, PASS, message)


def warned(check: str, message: str, action: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding(check, WARN, message, action)


def failed(check: str, message: str, action: str) -> Finding:
    """It does not work, or will not for long."""
    return Finding(check, FAIL, message, action)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings together."""

    ok: bool
    """Nothing failed; there may be warnings."""
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: tuple[Finding, ...]) -> Report:
        return cls(not any(one.status == FAIL for one in findings), findings)
