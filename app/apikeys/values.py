"""API keys as they are asked for and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.admin.changes import UNSET, Unset
from app.admin.key_variables import key_variable
from app.admin.rate_limits import RateLimitInput
from app.admin.rows import view_of
from app.apikeys.policies import KeyPolicy
from app.records import ACTIVE, DENY, DISABLED, EXPIRED, REVOKED, ROTATED
from app.storage.directory import api_key_record
from app.storage.models import ApiKeyRow, OrganizationRow

SECRET = "secret"  # noqa: S105 - a kind of key
PUBLISHABLE = "publishable"
KINDS = (SECRET, PUBLISHABLE)
STATUSES = (ACTIVE, DISABLED, EXPIRED, ROTATED, REVOKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """What is said of a new key: ``scopes`` or ``preset``, ``expires_at`` or ``expires_in``."""

    name: str
    description: str = ""
    organization_id: str | None = None
    environment: str | None = None
    """None: the actor's own, else the organization's first."""
    kind: str = SECRET
    scopes: Sequence[str] | None = None
    preset: str | None = None
    allowed_ips: Sequence[str] = ()
    """Addresses and CIDR ranges; none: from anywhere."""
    allowed_domains: Sequence[str] = ()
    """Hosts and ``*.host``; none: any origin. A publishable key needs one."""
    missing_origin: str | None = None
    """``allow`` or ``deny``; None: as the organization's profile has it."""
    browser_origin: str | None = None
    """``allow`` or ``deny``, for a secret key without domains; None: as its policy has it."""
    rate_limits: Sequence[RateLimitInput] = ()
    act_as_organizations: Sequence[str] = ()
    """Whom a service credential may act for; none: every organization."""
    expires_at: datetime | None = None
    expires_in: int | None = None
    """Seconds from now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyChanges:
    """What may be changed of a key. Scopes, environment and expiry are for life."""

    name: str | Unset = UNSET
    description: str | Unset = UNSET
    allowed_ips: Sequence[str] | Unset = UNSET
    allowed_domains: Sequence[str] | Unset = UNSET
    missing_origin: str | Unset = UNSET
    browser_origin: str | Unset | None = UNSET
    rate_limits: Sequence[RateLimitInput] | Unset = UNSET
    act_as_organizations: Sequence[str] | Unset = UNSET
    status: str | Unset = UNSET
    """``active`` or ``disabled``: whether it opens anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyFilter:
    """Which keys: every named field must fit."""

    status: str | None = None
    environment: str | None = None
    kind: str | None = None
    created_by: str | None = None
    inactive_days: int | None = None
    """Not used for so many days; never used: made so many days ago."""
    rotation: str | None = None
    """``due`` or ``overdue`` by the organization's policy."""
    search: str | None = None
    """How the name begins, or the id."""


@dataclass(frozen=True, slots=True)
class ApiKeyView:
    """A key as administrators see it (CONTRACT §6)."""

    id: str
    name: str
    description: str
    organization_id: str
    environment: str
    kind: str
    scopes: tuple[str, ...]
    preset: str | None
    allowed_ips: tuple[str, ...]
    allowed_domains: tuple[str, ...]
    missing_origin: str
    browser_origin: str | None
    rate_limits: tuple[Mapping[str, Any], ...]
    act_as_organizations: tuple[str, ...]
    status: str
    prefix: str
    last_four: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_reason: str | None
    exposed_at: datetime | None
    """When it was first seen where others can read it; such a key should be replaced."""
    exposed_by: str | None
    """How: ``in_query`` or ``insecure_transport``."""
    created_at: datetime
    created_by: str | None
    updated_at: datetime
    last_used_at: datetime | None
    rotated_from: str | None
    rotated_to: str | None
    in_grace: bool
    """Rotated, and good until ``expires_at``."""
    rotate_by: datetime | None
    """When it should have a successor; None: the organization has no policy, or it has one."""
    rotation: str | None
    """``due``, ``overdue``, or None: not yet."""


@dataclass(frozen=True, slots=True)
class CreatedApiKey:
    """A new key: shown here and never again."""

    api_key: ApiKeyView
    key: str = field(repr=False)
    variable: str
    """The environment variable to keep it in."""


def created(owner: OrganizationRow, row: ApiKeyRow, key: str, now: datetime) -> CreatedApiKey:
    """What is shown of a key once."""
    return CreatedApiKey(view(owner, row, now), key, key_variable(owner))


def view(owner: OrganizationRow, row: ApiKeyRow, now: datetime) -> ApiKeyView:
    """A row as the view of it, with the status it has now, and by its owner's policy."""
    status = status_at(row, now)
    in_grace = status == ACTIVE and row.rotated_to is not None
    rotate_by = None
    if status == ACTIVE and not in_grace:
        rotate_by = KeyPolicy.of(owner).rotate_by(row.created_at)
    return view_of(
        ApiKeyView,
        row,
        status=status,
        missing_origin=row.missing_origin or DENY,
        act_as_organizations=tuple(row.act_as_organizations or ()),
        in_grace=in_grace,
        rotate_by=rotate_by,
        rotation=KeyPolicy.of(owner).rotation(row.created_at, now) if rotate_by else None,
    )


def status_at(row: ApiKeyRow, now: datetime) -> str:
    """The stored status; an active key whose time has come is ``expired``, or ``rotated`` where it
    has a successor: that was the end of its grace.
    """
    return api_key_record(row).status_at(now)
