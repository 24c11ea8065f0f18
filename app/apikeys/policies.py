"""What an organization asks of its API keys: to be rotated in time, and not to lie about unused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from app.admin import fields, rows
from app.admin.changes import UNSET, Unset, named
from app.admin.desk import Desk
from app.admin.rights import LIVE, reach, require, require_environment
from app.builtin import KEYS_READ, KEYS_WRITE
from app.errors import Invalid
from app.records import ALLOW, DENY, Actor
from app.storage import organizations
from app.storage.models import OrganizationRow

LONGEST = 3660
NOTICE = timedelta(days=14)
"""How long before its time a key is ``due``; of a short time the last half."""
DUE = "due"
OVERDUE = "overdue"
ROTATIONS = (DUE, OVERDUE)
TELL = "tell"
GRACE = "grace"
REVOKE = "revoke"
LEAK_ACTIONS = (TELL, GRACE, REVOKE)
"""What happens to a key found in public: nothing but an event, a last day, or its end."""
CHOICES: Mapping[str, Sequence[str]] = {
    "on_leak": LEAK_ACTIONS,
    "browser_origin": (ALLOW, DENY),
    "service_keys": (ALLOW, DENY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPolicy:
    """Days, None where nothing is asked; and what happens to a leaked key."""

    rotate_after_days: int | None = None
    """A key should have a successor by then (S2-54)."""
    warn_inactive_days: int | None = None
    """A key that nobody uses for so long is reported (S2-46)."""
    disable_inactive_days: int | None = None
    """And after so long it is disabled."""
    on_leak: str | None = None
    """One of ``LEAK_ACTIONS``; None: it is revoked."""
    browser_origin: str | None = None
    """What a secret key without domains does with an ``Origin``; None: ``allow``."""
    service_keys: str | None = None
    """Whether an API key may act for organizations, as clients may; None: ``deny``."""

    @classmethod
    def of(cls, owner: OrganizationRow) -> KeyPolicy:
        return cls(**(owner.key_policy or {}))

    def rotate_by(self, created_at: datetime) -> datetime | None:
        """When a key should have a successor."""
        if self.rotate_after_days is None:
            return None
        return created_at + timedelta(days=self.rotate_after_days)

    def rotation(self, created_at: datetime, now: datetime) -> str | None:
        """Whether that is due or overdue."""
        for standing in reversed(ROTATIONS):
            made = self.made(standing, now)
            if made is not None and created_at <= made:
                return standing
        return None

    def made(self, standing: str, now: datetime) -> datetime | None:
        """When the youngest of the keys was made whose rotation is now due, or overdue."""
        if self.rotate_after_days is None:
            return None
        life = timedelta(days=self.rotate_after_days)
        return now - life + (min(NOTICE, life / 2) if standing == DUE else timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPolicyChanges:
    """What is asked from now on."""

    rotate_after_days: int | Unset | None = UNSET
    warn_inactive_days: int | Unset | None = UNSET
    disable_inactive_days: int | Unset | None = UNSET
    on_leak: str | Unset | None = UNSET
    browser_origin: str | Unset | None = UNSET
    service_keys: str | Unset | None = UNSET


def show(desk: Desk, actor: Actor, *, organization_id: str | None = None) -> KeyPolicy:
    """The organization's policy. Raises Forbidden, NotFound."""
    require(actor, KEYS_READ)
    organization_id = reach(actor, organization_id, write=False)
    with desk.store.reading() as session:
        return KeyPolicy.of(organizations.existing(session, organization_id))


def update(
    desk: Desk, actor: Actor, changes: KeyPolicyChanges, *, organization_id: str | None = None
) -> KeyPolicy:
    """Ask something else. Raises Forbidden, Invalid, NotFound."""
    require(actor, KEYS_WRITE)
    require_environment(actor, LIVE)  # it is about every key there is
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        owner = rows.organization_row(work, organization_id, "update")
        policy = KeyPolicy(**(asdict(KeyPolicy.of(owner)) | named(changes)))
        _check(policy)
        asked = {name: value for name, value in asdict(policy).items() if value is not None}
        changed = rows.put(owner, {"key_policy": asked or None})
        if changed:
            owner.updated_at = work.now
            work.changed("organization", owner.id)
            work.record(
                "key_policy.updated", "organization", owner.id, organization_id=owner.id, **asked
            )
        return policy


def _check(policy: KeyPolicy) -> None:
    for name, value in asdict(policy).items():
        if name in CHOICES and value is not None:
            fields.one_of(value, CHOICES[name], name)
        elif value is not None:
            fields.number(value, name, 1, LONGEST)
    if policy.disable_inactive_days is None:
        return
    warned = policy.warn_inactive_days
    if warned is None or warned >= policy.disable_inactive_days:
        raise Invalid(
            "Before a key is disabled its owner is warned: warn_inactive_days must be less",
            field="disable_inactive_days",
        )
