"""Acting for another organization: the service credential of a backend for frontends.

It holds `keyturn:act-as-organization`, and each of its requests names the organization, and the
mode, by headers. For every other credential these headers change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import NamedTuple

from keyturn.errors import ActingRefused, Reason, RestrictionRefused

ACT_AS_ORGANIZATION = "keyturn:act-as-organization"
INSTALLATION = ("keyturn:organizations:", "keyturn:signing-keys:")
"""Whoever administers the installation is somebody without acting for an organization, too."""

_ORGANIZATION = re.compile(r"org_[A-Za-z0-9_-]{1,60}")
_MODE = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True)
class ActingHeaders:
    """The names of the two headers."""

    organization: str = "X-Org-Id"
    mode: str = "X-Mode"


class Acting(NamedTuple):
    """For whom, and in which of its environments; None: in `live`, where it has that."""

    organization: str
    mode: str | None

    @classmethod
    def read(cls, organization: str | None, mode: str | None) -> Acting:
        """From two headers. Raises ActingRefused for what is no id, and no mode."""
        if organization is None or not _ORGANIZATION.fullmatch(organization):
            raise ActingRefused(Reason.ORG_REQUIRED, detail=f"names {organization!a:.80}")
        if mode is not None and not _MODE.fullmatch(mode):
            raise ActingRefused(Reason.MODE_UNKNOWN, detail=f"names {mode!a:.80}")
        return cls(organization, mode)


def acts_for_others(scopes: Set[str]) -> bool:
    """Whether a credential with these scopes is there for nothing else."""
    return ACT_AS_ORGANIZATION in scopes and not any(
        scope.startswith(INSTALLATION) for scope in scopes
    )


def acting(
    scopes: Set[str], organization: str | None, mode: str | None, origin: str | None
) -> Acting | None:
    """What a request says by the two headers, for a credential with these scopes; None: it acts for
    itself. Raises ActingRefused, and RestrictionRefused for what comes out of a browser.

    >>> acting({"bookings:read"}, "org_1", "test", None) is None
    True
    >>> acting({"bookings:read", ACT_AS_ORGANIZATION}, "org_1", "test", None)
    Acting(organization='org_1', mode='test')
    """
    if ACT_AS_ORGANIZATION not in scopes:
        return None
    if organization is None and not acts_for_others(scopes):
        return None
    if origin is not None:
        raise RestrictionRefused(Reason.SERVER_ONLY, detail=f"from {origin!a}")
    return Acting.read(organization, mode)
