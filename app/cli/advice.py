"""What to do next, where a refusal does not say it; ``docs/errors.md`` shows the table."""

from __future__ import annotations

from collections.abc import Mapping

NEXT: Mapping[str, str] = {
    "No such organization": "`flask org list` lists them",
    "No such client": "`flask client list` lists them; another organization's need --org",
    "No such secret": "`flask client secrets ID` lists them",
    "No such API key": "`flask key list` lists them; another organization's need --org",
    "No such scope": "`flask scope list` lists them, `flask scope add` declares one",
    "No such preset": "`flask preset list` lists them; another organization's need --org",
    "No such resource": "`flask resource list` lists them; another organization's need --org",
    "No such plan": "`flask plan list` lists them",
    "No such user": "`flask user list` lists them; another organization's need --org",
    "No such signing key": "`flask signing-key list` lists them",
    "The key is rotated already": "`flask key show ID` names its successor",
    "The key is revoked": "it is over for good: `flask key create` makes another",
    "The key is expired": "it is over for good: `flask key create` makes another",
    "The plan's number of active API keys": "`flask key revoke` one, or `flask plan update`",
    "The plan has no API keys": "`flask org update --plan` puts the organization on another",
    "A resource of this identifier exists": "`flask resource list` shows it",
    "Still an audience of client": "`flask client update --audience` names others",
    "Temporarily unavailable": "`flask doctor` says what is away",
}
"""By the beginning of what is said."""


def with_advice(says: str) -> str:
    """A refusal in one line, and what to do next."""
    for beginning, advice in NEXT.items():
        if says.startswith(beginning):
            return f"{says}: {advice}"
    return says
