"""The tables of docs/errors.md that say what to do, printed from ``app.admin.advice``.

python -m tests.support.error_page
"""

import re

from app import errors, web
from app.admin.advice import ADVICE
from app.web.forms import BodyTooLarge
from app.web.problems import status_of
from keyturn import errors as refusals
from keyturn.errors import (
    ActingRefused,
    CredentialExposed,
    CredentialMissing,
    InsufficientScope,
    InvalidToken,
    RateLimited,
    Reason,
    RestrictionRefused,
    VerifierUnavailable,
)
from tests.support.installation import ROOT

PAGE = ROOT / "docs" / "errors.md"
OAUTH, OWNER = "Codes of the OAuth endpoints", "Reasons, for the owner"

READ_ELSEWHERE = {
    "malformed": ("malformed", "invalid_token"),
    "secret_mismatch": ("invalid_client",),
    "quota_exceeded": ("rate_limited",),
    "plan_limit": ("plan_limit",),
    **dict.fromkeys(
        ("organization_suspended", "wrong_method", "too_long", "private_key_published",
         "replayed"), ("invalid_client",)
    ),
    **dict.fromkeys(
        ("wrong_password", "wrong_code", "not_in_use", "changed_meanwhile", "no_such_link",
         "link_over"), ("sign_in_refused",)
    ),
}  # fmt: skip
"""How a reason reads that the library does not refuse by, or not by that alone."""


def below(kind):
    return {kind}.union(*map(below, kind.__subclasses__()))


def refused(reason):
    """A refusal for this reason, as the library makes it."""
    kinds = {
        Reason.MISSING: CredentialMissing,
        Reason.INSUFFICIENT_SCOPE: lambda: InsufficientScope("a:b"),
        Reason.RATE_LIMITED: lambda: RateLimited(1, ()),
        Reason.UNAVAILABLE: VerifierUnavailable,
    }
    if reason in kinds:
        return kinds[reason]()
    for kind, reasons in (
        (ActingRefused, refusals._ACTING),
        (CredentialExposed, refusals._EXPOSED),
        (RestrictionRefused, ("ip_not_allowed", "origin_mismatch", "server_only")),
    ):
        if reason in reasons:
            return kind(reason)
    return InvalidToken(reason)


def read_as(reason):
    """The codes that a caller reads for it."""
    return READ_ELSEWHERE.get(reason) or (refused(Reason(reason)).code,)


def of_oauth():
    """Every error of the OAuth endpoints, one of each kind."""
    kinds = below(errors.OAuthError) - below(BodyTooLarge) - {
        errors.OAuthError, errors.RateLimited
    }  # fmt: skip
    assert web.mount  # every edge's own errors are known by now
    return [*(kind() for kind in kinds), errors.RateLimited(1), errors.Unavailable()]


def tables():
    """By heading, the table below it."""
    status = {one.code: status_of(one) for one in of_oauth()}
    owner = [
        (reason, " or ".join(f"`{code}`" for code in read_as(reason)))
        for reason in ADVICE
        if reason not in status or reason in set(Reason)
    ]
    return {
        OAUTH: _table("error", "status", sorted(status.items(), key=lambda row: (row[1], row[0]))),
        OWNER: _table("reason", "read as", owner),
    }


def _table(first, second, rows):
    lines = [f"| {first} | {second} | what to do |", "|---|---|---|"]
    return "\n".join(lines + [f"| `{name}` | {cell} | {ADVICE[name]} |" for name, cell in rows])


def printed(page):
    """The page with these tables in place of those that it has."""
    for heading, table in tables().items():
        pattern = rf"(## {re.escape(heading)}\n\n.*?\n\n)(\|.*?\n)(?=\n|\Z)"
        page, times = re.subn(
            pattern, lambda found, table=table: f"{found[1]}{table}\n", page, flags=re.DOTALL
        )
        assert times == 1, heading
    return page


if __name__ == "__main__":
    PAGE.write_text(printed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
