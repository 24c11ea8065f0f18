"""What a key may be: within its maker's life, its plan, and what its kind allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.apikeys.values import PUBLISHABLE
from app.errors import Forbidden, Invalid, PlanLimit
from app.records import ALLOW, DENY, Actor, Organization
from app.storage import api_keys, plans
from app.storage.models import OrganizationRow
from app.storage.store import Transaction
from keyturn.acting import acts_for_others
from keyturn.scope import ScopeSet

DAY = 86400
MISSING_ORIGIN = (ALLOW, DENY)
BINDINGS = ("allowed_domains", "missing_origin")
"""What a publishable key may not do without."""


def default_grace(owner: OrganizationRow) -> int:
    """Seconds a rotated key lives on when nothing is said (C-5)."""
    return 0 if owner.profile == "experiencelocal" else DAY


def own_scopes(actor: Actor, preset: str | None) -> list[str] | None:
    """What a key made by a key may do when nothing is said: as much as that one (S3-6)."""
    return list(actor.scopes) if actor.type == "api_key" and preset is None else None


def within_own_life(work: Transaction, expires_at: datetime | None) -> datetime | None:
    """A key made by a key ends with it at the latest, and without a word at that time (S3-6)."""
    if work.actor.type != "api_key":
        return expires_at
    own = api_keys.get(work.session, work.actor.home, work.actor.id)
    if own is None:
        raise Forbidden("Your own key is gone")
    if expires_at is not None and own.expires_at is not None and expires_at > own.expires_at:
        raise Forbidden("The key would outlive yours", field="expires_at")
    return expires_at or own.expires_at


def require_environment_said(organization: Organization, environment: str | None) -> None:
    """Where the documents have people choose it, no environment is chosen for them (S2-14)."""
    if environment is None and organization.profile == "experiencelocal":
        choices = ", ".join(organization.environments)
        raise Invalid(f"environment must be one of: {choices}", field="environment")


def default_missing_origin(owner: OrganizationRow, kind: str) -> str:
    """What a key bound to domains does without an Origin when nothing is said (C-9)."""
    return ALLOW if owner.profile == "reservekit" and kind != PUBLISHABLE else DENY


def require_publishable(
    organization: Organization, kind: str, scopes: ScopeSet, bound: Mapping[str, Any]
) -> None:
    """A key that stands in a web page is bound to its domains and to public scopes (C-6)."""
    if kind != PUBLISHABLE:
        return
    if not bound["allowed_domains"]:
        raise Invalid("A publishable key needs a domain", field="allowed_domains")
    if bound["missing_origin"] == ALLOW:
        raise Invalid("Pages that use a publishable key send an Origin", field="missing_origin")
    declared = organization.catalogue.scopes
    private = [one for one in scopes if one not in declared or not declared[one].public]
    if private:
        raise Invalid(f"Not for a publishable key: {' '.join(private[:8])}", field="scopes")


def require_service_keys(organization: Organization, scopes: ScopeSet) -> None:
    """A key that is there to act for others needs a policy that allows them: a client's tokens are
    short, and such a key is everything, for ever (C-21)."""
    if acts_for_others(scopes.tokens) and organization.service_keys != ALLOW:
        raise Invalid(
            "A client acts for organizations; for an API key the key policy must allow it: "
            "service_keys",
            field="scopes",
        )


def require_own_limits(
    work: Transaction, owner: OrganizationRow, limits: list[dict[str, Any]]
) -> None:
    """Limits of a key's own need a plan that allows them (S2-66). Raises PlanLimit."""
    plan = plans.get(work.session, owner.plan_id) if owner.plan_id and limits else None
    if plan is not None and not plan.custom_key_limits:
        raise PlanLimit("The plan allows no limits of a key's own", field="rate_limits")


def require_room(work: Transaction, owner: OrganizationRow, more: int = 1) -> None:
    """So many more active keys fit the plan (S2-10). Raises PlanLimit."""
    plan = plans.get(work.session, owner.plan_id) if owner.plan_id else None
    if plan is None or plan.max_active_keys is None:
        return
    if plan.max_active_keys == 0:
        raise PlanLimit("The plan has no API keys")
    if api_keys.count_active(work.session, owner.id, work.now) + more > plan.max_active_keys:
        raise PlanLimit(f"The plan's number of active API keys is reached: {plan.max_active_keys}")
