"""The organization that is acted upon: what is set of it, and what it asks of its API keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectField
from wtforms.validators import Optional

from app.admin import organizations, standing
from app.admin.key_templates import example
from app.admin.rights import require, require_operator
from app.apikeys import policies
from app.builtin import KEYS_READ, KEYS_WRITE, ORGANIZATIONS_WRITE, USAGE_READ
from app.errors import Invalid, NotFound
from app.web.dashboard import shell
from app.web.dashboard.fields import choices
from app.web.dashboard.organization_forms import (
    PARTS,
    at_its_field,
    refusals,
    template_of,
)
from app.web.dashboard.shell import page
from app.web.dashboard.signed_in import actor, desk, may, organization_id

blueprint = Blueprint("organization", __name__, url_prefix="/organization")

ON_LEAK = (
    ("", "As by default: it is revoked"),
    (policies.REVOKE, "It is revoked"),
    (policies.GRACE, "It has a last day"),
    (policies.TELL, "Nothing but an event"),
)
ALLOWED = (("", "As by default"), ("allow", "Allowed"), ("deny", "Refused"))


class PolicyForm(FlaskForm):
    """What is asked of keys, in days."""

    rotate_after_days = IntegerField(
        "A key has a successor after days",
        validators=[Optional()],
        description="It is due before, and overdue then; empty: nothing is asked.",
    )
    warn_inactive_days = IntegerField(
        "An unused key is reported after days", validators=[Optional()]
    )
    disable_inactive_days = IntegerField(
        "An unused key is disabled after days", validators=[Optional()]
    )
    on_leak = SelectField("A key that was found in public", choices=choices(ON_LEAK))
    browser_origin = SelectField(
        "A secret key without domains in a browser", choices=choices(ALLOWED)
    )
    service_keys = SelectField(
        "API keys that act for other organizations", choices=choices(ALLOWED)
    )

    def values(self) -> dict[str, Any]:
        """As the use case asks for them."""
        return {
            name: None if self[name].data == "" else self[name].data
            for name in policies.KeyPolicy.__dataclass_fields__
            if name in self
        }


@blueprint.get("")
def index() -> Any:
    return shown(organization_id(), lambda part: url_for(".edit", part=part))


@blueprint.route("/edit/<part>", methods=("GET", "POST"))
def edit(part: str) -> Any:
    return edited(organization_id(), part, url_for(".index"))


@blueprint.route("/key-policy", methods=("GET", "POST"))
def key_policy() -> Any:
    return policy_edited(organization_id(), url_for(".index"))


def shown(id: str, edit_url: Callable[[str], str], policy_url: str | None = None) -> Any:
    """A page of an organization; also of another one, for the operator."""
    found = _organization(id)
    policy = stands = None
    if may(KEYS_READ):
        policy = policies.show(desk(), actor(), organization_id=id)
    if may(USAGE_READ):
        stands = standing.show(desk(), actor(), organization_id=id)
    return page(
        "organization",
        found=found,
        own=id == organization_id(),
        look=template_of(found),
        example=example(desk().settings, found.environments, found.key_template),
        refusals=refusals(found.profile),
        policy=policy,
        stands=stands,
        edit_url=edit_url,
        policy_url=policy_url or url_for("dashboard.organization.key_policy"),
        on_leak=dict(ON_LEAK),
    )


def edited(id: str, part: str, back: str) -> Any:
    """A form for a part of an organization, with what an example shows of it."""
    require_operator(actor(), ORGANIZATIONS_WRITE)
    if part not in PARTS:
        raise NotFound("page")
    found = organizations.show(desk(), actor(), id)
    form = PARTS[part].of(found)

    def change() -> organizations.OrganizationView | None:
        try:
            form.preview(found)
            if "preview" in request.form:
                return None
            changes = organizations.OrganizationChanges(**form.changes())
            return organizations.update(desk(), actor(), id, changes)
        except Invalid as error:
            raise at_its_field(form, error) from None

    if shell.attempt(form, change) is not None:
        flash("Saved.")
        return redirect(back, 303)
    shows = None if form.errors else form.preview(found)
    return page("organization_part", form, found=found, part=part, shows=shows, back=back)


def policy_edited(id: str, back: str) -> Any:
    """The form for what an organization asks of its keys."""
    require(actor(), KEYS_WRITE)
    found = policies.show(desk(), actor(), organization_id=id)
    form = PolicyForm(obj=found)
    if not _organization(id).is_operator:
        del form.service_keys

    def change() -> policies.KeyPolicy:
        changes = policies.KeyPolicyChanges(**form.values())
        return policies.update(desk(), actor(), changes, organization_id=id)

    if shell.attempt(form, change) is None:
        return page("key_policy", form, back=back)
    flash("Saved.")
    return redirect(back, 303)


def _organization(id: str) -> organizations.OrganizationView:
    if id == actor().organization_id:
        return organizations.own(desk(), actor())
    return organizations.show(desk(), actor(), id)
