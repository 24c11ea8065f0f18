"""Why does this key not work? Each rule by itself, for the key's owner (S1-25, S2-73)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.admin.desk import Desk
from app.admin.rights import reach, require
from app.apikeys.values import ApiKeyView, status_at, view
from app.builtin import KEYS_READ
from app.errors import NotFound
from app.key_templates import key_template
from app.records import ACTIVE, Actor
from app.storage import api_keys, organizations
from app.storage.models import ApiKeyRow, OrganizationRow
from keyturn.apikey import KeyTemplate, key_digest
from keyturn.errors import BadChecksum, MalformedKey, Reason, RestrictionRefused
from keyturn.restrictions import Restrictions

MAX_LENGTH = 16 * 1024


@dataclass(frozen=True, slots=True)
class Check:
    """One rule: whether it lets the key through (None: not asked), and what to do if not."""

    rule: str
    passed: bool | None
    says: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """Every rule in the order in which a request meets them, and the key where it is known."""

    checks: tuple[Check, ...]
    api_key: ApiKeyView | None

    @property
    def passed(self) -> bool:
        return all(check.passed is not False for check in self.checks)


def inspect(
    desk: Desk,
    actor: Actor,
    key: str,
    *,
    ip: str | None = None,
    origin: str | None = None,
) -> Inspection:
    """Take a key apart as a request from there would. Raises Forbidden, Unavailable.

    Another organization's key is as unknown as one that never was.
    """
    require(actor, KEYS_READ)
    if len(key) > MAX_LENGTH:
        return Inspection((Check("format", False, "far too long to be a key"),), None)
    with desk.store.reading() as session:
        row = api_keys.by_digest(session, key_digest(key))
        owner = organizations.get(session, row.organization_id) if row is not None else None
        if row is None or owner is None or not _reaches(actor, row):
            template = key_template(desk.settings.key_prefix, ("live", "test"), {})
            checks = (*_form(template, key), Check("known", False, _UNKNOWN))
            return Inspection(checks, None)
        template = key_template(desk.settings.key_prefix, owner.environments, owner.key_template)
        shown = view(owner, row, desk.clock())
        checks = (
            *_form(template, key),
            Check("known", True, f"{row.id}, {row.name}"),
            *_standing(owner, row, status_at(row, desk.clock())),
            _restriction("network", Reason.IP_NOT_ALLOWED, shown, ip, origin),
            _restriction("domain", Reason.ORIGIN_MISMATCH, shown, ip, origin),
        )
        return Inspection(checks, shown)


_UNKNOWN = "no such key: mistyped in its secret, of another installation, or invented"


def _reaches(actor: Actor, row: ApiKeyRow) -> bool:
    try:
        reach(actor, row.organization_id, write=False)
    except NotFound:
        return False
    return True


def _form(template: KeyTemplate, key: str) -> Iterator[Check]:
    try:
        template.read(key)
    except BadChecksum:
        yield Check("format", True, "right")
        yield Check("checksum", False, "does not fit: the key is mistyped or cut; copy it whole")
    except MalformedKey as error:
        yield Check("format", False, error.detail)
        yield Check("checksum", None, "not reached")
    else:
        yield Check("format", True, "right")
        if template.checksum == "none":
            yield Check("checksum", None, "such keys have none")
        else:
            yield Check("checksum", True, "fits")


def _standing(owner: OrganizationRow, row: ApiKeyRow, status: str) -> Iterator[Check]:
    does = {
        "disabled": "disabled: enable it",
        "expired": f"expired at {row.expires_at}: make a new one",
        "rotated": f"rotated: use its successor {row.rotated_to}",
        "revoked": f"revoked at {row.revoked_at}: make a new one",
    }
    yield Check("status", status == ACTIVE, does.get(status, status))
    active = owner.status == ACTIVE
    yield Check("organization", active, "active" if active else f"{owner.status}: ask the operator")
    lives = row.environment is None or row.environment in owner.environments
    says = row.environment or "none"
    yield Check("environment", lives, says if lives else f"{says} is no longer the organization's")


def _restriction(
    rule: str, reason: Reason, key: ApiKeyView, ip: str | None, origin: str | None
) -> Check:
    network = reason is Reason.IP_NOT_ALLOWED
    allowed = key.allowed_ips if network else key.allowed_domains
    seen = ip if network else origin
    if not allowed:
        return Check(rule, True, "not restricted")
    only = "only from " + ", ".join(allowed)
    if seen is None:
        return Check(rule, None, only)
    bound = Restrictions.of(allowed, ()) if network else Restrictions.of((), allowed)
    try:
        bound.check(ip, origin)
    except RestrictionRefused:
        return Check(rule, False, f"{only}, not from {seen}")
    return Check(rule, True, f"{seen} is allowed")
