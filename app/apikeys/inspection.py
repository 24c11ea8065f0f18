"""Why does this key not work? Each rule by itself, for the key's owner (S1-25, S2-67, S2-73)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.admin.desk import Desk
from app.admin.fields import without_userinfo
from app.admin.rights import reach, require
from app.apikeys.values import ApiKeyView, status_at, view
from app.builtin import KEYS_READ
from app.errors import Invalid, NotFound
from app.key_templates import key_templates
from app.records import ACTIVE, DISABLED, EXPIRED, REVOKED, ROTATED, Actor, Organization
from app.storage import api_keys, organizations, plans, usage_queries
from app.storage.directory import api_key_record
from app.storage.models import ApiKeyRow, OrganizationRow, PlanRow, UsageNetworkRow
from keyturn.apikey import KeyTemplate, key_digest
from keyturn.authorization import can_be_sent
from keyturn.errors import BadChecksum, MalformedKey, Reason, RestrictionRefused
from keyturn.restrictions import Restrictions
from keyturn.routes import Route, RoutePolicy
from keyturn.scope import ScopeSet

MAX_LENGTH = 16 * 1024
NETWORKS = 3
"""How many of the networks are shown that it was last seen from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The request in which it shall work; what is not named is not asked."""

    ip: str | None = None
    origin: str | None = None
    environment: str | None = None
    """That of the API."""
    scopes: Sequence[str] = ()
    """Those that the route needs."""
    route: str | None = None
    """``GET /bookings/7``, as it is called, of the API that ``policy`` describes."""
    policy: Mapping[str, Any] | None = None
    """What each of its routes asks (``keyturn.RoutePolicy.read``)."""


ANYWHERE = Situation()


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
    asked: Situation = ANYWHERE,
    *,
    organization_id: str | None = None,
) -> Inspection:
    """Take a key apart as a request in that situation would. Raises Forbidden, Invalid, NotFound
    and Unavailable.

    Another organization's key is as unknown as one that never was: than the one that is named, or
    else than those that the actor reaches.
    """
    require(actor, KEYS_READ)
    looked_at = reach(actor, organization_id, write=False)
    needed = _needed(asked)
    if len(key) > MAX_LENGTH:
        return Inspection((Check("format", False, "far too long to be a key"),), None)
    with desk.store.reading() as session:
        row = api_keys.by_digest(session, key_digest(key))
        owner = organizations.get(session, row.organization_id) if row is not None else None
        if row is None or owner is None or not _is_seen(actor, row, organization_id):
            own = organizations.existing(session, looked_at)
            form = _form(_templates(desk, own), key, is_known=False)
            checks = (*form, Check("known", False, _UNKNOWN))
            return Inspection(checks, None)
        plan = plans.get(session, owner.plan_id) if owner.plan_id else None
        shown = view(owner, row, desk.clock())
        checks = (
            *_form(_templates(desk, owner), key, is_known=True),
            Check("known", True, f"{row.id}, {row.name}"),
            *_standing(owner, row, status_at(row, desk.clock())),
            _environment(owner, row, asked.environment),
            _restriction("network", Reason.IP_NOT_ALLOWED, shown, asked),
            _domain(organizations.record(session, owner), row, shown, asked),
            *needed(shown),
            _limits(shown, plan),
            _use(shown, usage_queries.networks_of(session, row.id, NETWORKS)),
        )
        return Inspection(checks, shown)


_UNKNOWN = "no such key here: mistyped in its secret, made elsewhere, or invented"


def _templates(desk: Desk, owner: OrganizationRow) -> tuple[KeyTemplate, ...]:
    return key_templates(
        desk.settings.key_prefix, owner.environments, owner.key_template, owner.former_key_templates
    )


def _is_seen(actor: Actor, row: ApiKeyRow, organization_id: str | None) -> bool:
    if organization_id is not None:
        return row.organization_id == organization_id
    try:
        reach(actor, row.organization_id, write=False)
    except NotFound:
        return False
    return True


def _form(templates: Sequence[KeyTemplate], key: str, *, is_known: bool) -> Iterator[Check]:
    right = can_be_sent(key)
    wrong = "has characters that no header takes: send the key alone, without quotes or line ends"
    yield Check("header", right, "can be sent as `Authorization: Bearer …`" if right else wrong)
    if is_known and not any(template.recognizes(key) for template in templates):
        yield Check("format", True, "opaque: it was imported")
        yield Check("checksum", None, "such keys have none")
        return
    slips = []
    for number, template in enumerate(templates):
        try:
            template.read(key)
        except MalformedKey as slip:
            slips.append(slip)
            continue
        yield Check("format", True, "right" if number == 0 else "right, of a former template")
        checked = template.checksum != "none"
        yield Check("checksum", checked or None, "fits" if checked else "such keys have none")
        return
    if any(isinstance(slip, BadChecksum) for slip in slips):
        yield Check("format", True, "right")
        yield Check("checksum", False, "does not fit: the key is mistyped or cut; copy it whole")
    else:
        yield Check("format", False, f"{slips[0].detail}: copy the key whole, with its prefix")
        yield Check("checksum", None, "not reached")


def _standing(owner: OrganizationRow, row: ApiKeyRow, status: str) -> Iterator[Check]:
    does = {
        DISABLED: "disabled: enable it",
        ROTATED: f"rotated: use its successor {row.rotated_to}",
        REVOKED: f"revoked at {_instant(row.revoked_at)}: make a new one",
    }
    yield Check("status", status not in does, does.get(status, "neither disabled nor ended"))
    if status == EXPIRED:
        yield Check("expiry", False, f"expired at {_instant(row.expires_at)}: make a new one")
    else:
        says = f"until {_instant(row.expires_at)}" if row.expires_at else "does not expire"
        yield Check("expiry", True, says)
    active = owner.status == ACTIVE
    yield Check("organization", active, "active" if active else f"{owner.status}: ask the operator")


def _environment(owner: OrganizationRow, row: ApiKeyRow, wanted: str | None) -> Check:
    says = row.environment
    if says not in owner.environments:
        return Check("environment", False, f"{says} is no longer the organization's")
    if wanted is not None and says != wanted:
        return Check("environment", False, f"{says}, not {wanted}: use a key of {wanted}")
    return Check("environment", True, says)


def _needed(asked: Situation) -> Callable[[ApiKeyView], Iterator[Check]]:
    """What the route asks of a key, or the scopes by themselves. Raises Invalid."""
    if asked.policy is None or asked.route is None:
        if (asked.policy is None) != (asked.route is None):
            raise Invalid("route and policy belong together", field="route")
        return lambda key: iter((_scopes(key, asked.scopes),))
    if asked.scopes:
        raise Invalid("The policy says what the route needs", field="scopes")
    method, _, path = asked.route.partition(" ")
    try:
        found = RoutePolicy.read(asked.policy).at(method.upper(), path.partition("?")[0])
    except ValueError as error:
        raise Invalid(f"policy: {error}", field="policy") from None
    return lambda key: _route(key, f"{method.upper()} {path}", found)


def _route(key: ApiKeyView, asked: str, found: tuple[str, Route] | None) -> Iterator[Check]:
    if found is None:
        yield Check("route", False, f"{asked} is not declared: look at method, path and policy")
        yield _scopes(key, ())
        return
    written, route = found
    yield Check("route", True, f"{written} asks {route.needs or 'nobody'}".rstrip())
    if route.needs is None or route.needs.is_met_by(ScopeSet.of(key.scopes)):
        yield Check("scopes", True, f"holds what {written} needs")
    else:
        held = " ".join(key.scopes) or "none"
        says = f"lacks {route.needs}: make a key with it; this one holds {held}"
        yield Check("scopes", False, says)


def _scopes(key: ApiKeyView, needed: Sequence[str]) -> Check:
    held = " ".join(key.scopes) or "none"
    if not needed:
        return Check("scopes", None, f"holds {held}")
    missing = " ".join(sorted(set(needed) - set(key.scopes)))
    if missing:
        return Check("scopes", False, f"lacks {missing}: make a key with it; this one holds {held}")
    return Check("scopes", True, f"holds {' '.join(sorted(set(needed)))}")


def _limits(key: ApiKeyView, plan: PlanRow | None) -> Check:
    own = key.rate_limits or (plan.rate_limits if plan else ())
    whose = "its own" if key.rate_limits else "its plan's"
    if not own:
        return Check("limits", True, "not limited")
    said = ", ".join(
        f"{one['limit']}/{one['window']}" + (f" for {one['class']}" if one.get("class") else "")
        for one in own
    )
    return Check("limits", None, f"{whose}: {said}; what is used of them is not asked here")


def _domain(organization: Organization, row: ApiKeyRow, key: ApiKeyView, asked: Situation) -> Check:
    if asked.origin and api_key_record(row).restrictions_in(organization).server_only:
        return Check("domain", False, "for servers alone: make a publishable key for the page")
    return _restriction("domain", Reason.ORIGIN_MISMATCH, key, asked)


def _use(key: ApiKeyView, seen: Sequence[UsageNetworkRow]) -> Check:
    """No rule, but what its owner looks for next."""
    if key.last_used_at is None:
        return Check("use", None, "never used")
    places = ", ".join(row.network for row in seen)
    says = f"last used at {_instant(key.last_used_at)}"
    return Check("use", None, says + (f", seen from {places}" if places else ""))


def _instant(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _restriction(rule: str, reason: Reason, key: ApiKeyView, asked: Situation) -> Check:
    network = reason is Reason.IP_NOT_ALLOWED
    allowed = key.allowed_ips if network else key.allowed_domains
    seen = asked.ip if network else asked.origin and without_userinfo(asked.origin)
    if not allowed:
        return Check(rule, True, "not restricted")
    only = "only from " + ", ".join(allowed)
    if seen is None:
        return Check(rule, None, only)
    bound = Restrictions.of(allowed, ()) if network else Restrictions.of((), allowed)
    try:
        bound.check(asked.ip, asked.origin)
    except RestrictionRefused:
        return Check(rule, False, f"{only}, not from {seen}: allow it, or call from there")
    return Check(rule, True, f"{seen} is allowed")
