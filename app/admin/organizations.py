"""Organizations: the operator creates, changes and suspends them; everybody is in one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.admin import fields, rows
from app.admin.changes import UNSET, Unset, named
from app.admin.desk import Desk
from app.admin.key_templates import read_departures, retired
from app.admin.key_variables import SETTING as KEY_VARIABLE
from app.admin.key_variables import key_variable, read_variable
from app.admin.labels import SETTING as LABELS_SETTING
from app.admin.labels import read_labels
from app.admin.pages import DEFAULT_LIMIT, Page, page_of, read_cursor, read_limit
from app.admin.rate_limits import RateLimitInput, read_rate_limits
from app.admin.rights import reach, require, require_any, require_operator, require_organization
from app.builtin import ORGANIZATIONS_READ, ORGANIZATIONS_WRITE, USERS_WRITE
from app.errors import Conflict, Invalid, NotFound
from app.ids import new_id
from app.key_templates import secret_template
from app.records import ACTIVE, LABELS, SUSPENDED, Actor
from app.settings import Settings
from app.storage import organizations, plans
from app.storage.models import OrganizationRow
from app.storage.organizations import SECOND_FACTOR
from app.storage.store import Transaction
from keyturn import profiles as presentation

ENVIRONMENTS = ("live", "test")
MAX_ENVIRONMENTS = 16
STATUSES = (ACTIVE, SUSPENDED)
PROFILES = tuple(presentation.PROFILES)
"""How errors are presented at an organization's resources (C-1); the first is the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrganization:
    """What is said of a new organization."""

    name: str
    environments: Sequence[str] = ENVIRONMENTS
    plan_id: str | None = None
    key_template: Mapping[str, Any] = field(default_factory=dict)
    profile: str = PROFILES[0]
    rate_limits: Sequence[RateLimitInput] = ()
    """By class of routes, where neither key nor plan says anything."""
    key_variable: str | None = None
    """The environment variable that a new key is shown with; None: made of the name."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the dashboard calls its pages, where otherwise than by default."""
    require_second_factor: bool = False
    """Whether its users need a code beside their password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationChanges:
    """What is changed of an organization; ``status`` ``suspended`` stops all its credentials."""

    name: str | Unset = UNSET
    status: str | Unset = UNSET
    environments: Sequence[str] | Unset = UNSET
    plan_id: str | Unset | None = UNSET
    key_template: Mapping[str, Any] | Unset = UNSET
    profile: str | Unset = UNSET
    rate_limits: Sequence[RateLimitInput] | Unset = UNSET
    key_variable: str | Unset | None = UNSET
    labels: Mapping[str, str] | Unset = UNSET
    require_second_factor: bool | Unset = UNSET


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """An organization as administrators see it."""

    id: str
    name: str
    status: str
    is_operator: bool
    plan_id: str | None
    environments: tuple[str, ...]
    key_template: Mapping[str, Any]
    former_key_templates: tuple[Mapping[str, Any], ...]
    """Whole, the youngest first: keys that look so are still taken."""
    profile: str
    key_variable: str
    labels: Mapping[str, str]
    """By the names of ``LABELS``, every one."""
    require_second_factor: bool
    rate_limits: tuple[Mapping[str, Any], ...]
    created_at: datetime
    updated_at: datetime


def create(desk: Desk, actor: Actor, new: NewOrganization) -> OrganizationView:
    """Register an organization. Raises Forbidden, Invalid, Conflict."""
    require_operator(actor, ORGANIZATIONS_WRITE)
    name = fields.name(new.name)
    with desk.store.transaction(actor) as work:
        _require_free(work, name)
        _require_plan(work, new.plan_id)
        environments = _environments(desk.settings, new.environments)
        row = new_row(
            work,
            name,
            environments=environments,
            plan_id=new.plan_id,
            key_template=read_departures(desk.settings, environments, new.key_template),
            profile=fields.one_of(new.profile, PROFILES, "profile"),
            settings=_settings(
                {},
                {
                    KEY_VARIABLE: new.key_variable,
                    LABELS_SETTING: new.labels,
                    SECOND_FACTOR: new.require_second_factor,
                },
            ),
            rate_limits=read_rate_limits(new.rate_limits),
        )
        work.record(
            "organization.created", "organization", row.id, organization_id=row.id, name=name
        )
        work.changed("organization", row.id)
        return _view(row)


_NEW: Mapping[str, Any] = {
    "is_operator": False,
    "plan_id": None,
    "settings": {},
    "former_key_templates": [],
    "rate_limits": [],
}


def new_row(work: Transaction, name: str, **values: Any) -> OrganizationRow:
    """Write an organization, checked before; also for the first one of all."""
    row = OrganizationRow(
        name=name,
        status=ACTIVE,
        created_at=work.now,
        updated_at=work.now,
        **{"id": new_id("org"), **_NEW, **values},
    )
    work.session.add(row)
    work.session.flush()
    return row


def list_page(
    desk: Desk,
    actor: Actor,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    status: str | None = None,
    plan_id: str | None = None,
    search: str | None = None,
) -> Page[OrganizationView]:
    """Organizations, the youngest first; ``search``: how the name begins, or the whole id.

    Raises Forbidden, Invalid.
    """
    require_operator(actor, ORGANIZATIONS_READ)
    limit = read_limit(limit)
    if status is not None:
        fields.one_of(status, STATUSES, "status")
    fields.searched(plan_id, "plan_id")
    fields.searched(search, "search")
    with desk.store.reading() as session:
        found = organizations.page(
            session,
            before=read_cursor(cursor),
            limit=limit + 1,
            status=status,
            plan_id=plan_id,
            search=search,
        )
        return page_of(found, limit, lambda row: row.id, _view)


def show(desk: Desk, actor: Actor, organization_id: str) -> OrganizationView:
    """One organization; for those who administer it, their own. Raises Forbidden, NotFound."""
    require_organization(actor, organization_id)
    return _shown(desk, organization_id)


def own(desk: Desk, actor: Actor) -> OrganizationView:
    """The actor's own, for whoever administers anything in it. Raises Forbidden."""
    require_any(actor)
    return _shown(desk, actor.organization_id)


def _shown(desk: Desk, organization_id: str) -> OrganizationView:
    with desk.store.reading() as session:
        row = organizations.get(session, fields.object_id(organization_id, "organization"))
        if row is None:
            raise NotFound("organization")
        return _view(row)


def find(desk: Desk, actor: Actor, name: str) -> OrganizationView:
    """The organization of this name. Raises Forbidden, NotFound."""
    require_operator(actor, ORGANIZATIONS_READ)
    with desk.store.reading() as session:
        row = organizations.by_name(session, name) if name.isprintable() else None
        if row is None:
            raise NotFound("organization")
        return _view(row)


def update(
    desk: Desk, actor: Actor, organization_id: str, changes: OrganizationChanges
) -> OrganizationView:
    """Change, suspend or resume an organization. Raises Forbidden, Invalid, NotFound, Conflict.

    Whoever looks after its people may ask them for a second factor.
    """
    if set(named(changes)) == {SECOND_FACTOR}:
        require(actor, USERS_WRITE)
        organization_id = reach(actor, organization_id, write=True)
    else:
        require_operator(actor, ORGANIZATIONS_WRITE)
    with desk.store.transaction(actor) as work:
        row = rows.organization_row(work, organization_id, "update")
        values = _checked(desk.settings, work, row, named(changes))
        changed = rows.put(row, values)
        if changed:
            row.updated_at = work.now
            work.record(
                "organization.updated",
                "organization",
                row.id,
                organization_id=row.id,
                changed=changed,
                status=row.status,
            )
            work.changed("organization", row.id)
        return _view(row)


def _checked(
    settings: Settings, work: Transaction, row: OrganizationRow, values: dict[str, Any]
) -> dict[str, Any]:
    if "name" in values:
        values["name"] = fields.name(values["name"])
        if values["name"] != row.name:
            _require_free(work, values["name"])
    if "status" in values:
        fields.one_of(values["status"], STATUSES, "status")
        if row.is_operator and values["status"] != ACTIVE:
            raise Conflict("The operator organization cannot be suspended", field="status")
    if "plan_id" in values:
        _require_plan(work, values["plan_id"])
    if "profile" in values:
        fields.one_of(values["profile"], PROFILES, "profile")
    if "rate_limits" in values:
        values["rate_limits"] = read_rate_limits(values["rate_limits"])
    chosen = {name: values.pop(name) for name in _SETTINGS if name in values}
    if chosen:
        values["settings"] = _settings(row.settings, chosen)
    environments = row.environments
    if "environments" in values:
        environments = values["environments"] = _environments(settings, values["environments"])
        gone = organizations.environments_in_use(work.session, row.id) - set(environments)
        if gone:
            raise Conflict(
                f"Still in use by clients or keys: {', '.join(sorted(gone))}", field="environments"
            )
    template = values.get("key_template", row.key_template)
    checked = read_departures(settings, environments, template)
    if "key_template" in values:
        values["key_template"] = checked
        values["former_key_templates"] = retired(settings, row, checked)
    return values


_SETTINGS: Mapping[str, Callable[[Any], Any]] = {
    KEY_VARIABLE: read_variable,
    LABELS_SETTING: read_labels,
    SECOND_FACTOR: bool,
}


def _settings(present: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The organization's settings with what is chosen anew; what is as by default is not kept."""
    read = {
        name: _SETTINGS[name](value) if value is not None else None
        for name, value in chosen.items()
    }
    return {name: value for name, value in {**present, **read}.items() if value}


def _environments(settings: Settings, names: Sequence[str]) -> list[str]:
    kept = fields.distinct(names, "environments", MAX_ENVIRONMENTS)
    if not kept:
        raise Invalid("environments must have at least one entry", field="environments")
    try:
        secret_template(settings.key_prefix, kept)
    except ValueError as error:
        raise Invalid(str(error), field="environments") from None
    return kept


def _require_free(work: Transaction, name: str) -> None:
    if organizations.by_name(work.session, name) is not None:
        raise Conflict("An organization of this name exists", field="name")


def _require_plan(work: Transaction, plan_id: str | None) -> None:
    if plan_id is not None and plans.get(work.session, plan_id[:64], lock=True) is None:
        raise Invalid("No such plan", field="plan_id")


def _view(row: OrganizationRow) -> OrganizationView:
    return rows.view_of(
        OrganizationView,
        row,
        key_template=dict(row.key_template),
        key_variable=key_variable(row),
        labels={**LABELS, **row.settings.get(LABELS_SETTING, {})},
        require_second_factor=bool(row.settings.get(SECOND_FACTOR)),
    )
