"""Resources: the APIs that tokens are meant for, with the scopes that each owns."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, url_for
from wtforms import SelectField, StringField
from wtforms.validators import InputRequired

from app.admin import resources
from app.admin.fields import MAX_IDENTIFIER, MAX_NAME
from app.admin.organizations import PROFILES
from app.admin.rights import require
from app.builtin import SCOPES_WRITE
from app.records import Actor
from app.web.dashboard import filters, shell
from app.web.dashboard.fields import Address, Checkboxes, choices
from app.web.dashboard.grants import ScopesForm
from app.web.dashboard.shell import Question, page, query
from app.web.dashboard.signed_in import actor, confirmed, desk, organization, organization_id

blueprint = Blueprint("resources", __name__, url_prefix="/resources")


class ResourceForm(ScopesForm):
    """What may be changed of a resource."""

    name = StringField("Name", render_kw={"maxlength": MAX_NAME})
    environments = Checkboxes(
        "Environments", description="Whose tokens it takes; none chosen: all."
    )
    profile = SelectField(
        "How its refusals read",
        choices=choices([("", "As the organization has it"), *((name, name) for name in PROFILES)]),
        filters=(lambda chosen: chosen or "",),
    )

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.environments.choices = list(organization().environments)

    def values(self) -> dict[str, Any]:
        """As use cases ask for them."""
        return {
            "name": self.name.data or "",
            "scopes": self.chosen(),
            "environments": tuple(self.environments.data or ()),
            "profile": self.profile.data or None,
        }


class NewResourceForm(ResourceForm):
    """And its identifier, which is for life."""

    identifier = Address(
        "Audience",
        validators=[InputRequired()],
        description="An absolute URI; it stands as aud in every token for this API.",
        render_kw={"maxlength": MAX_IDENTIFIER, "inputmode": "url", "spellcheck": "false"},
    )


@blueprint.get("")
def index() -> Any:
    found, refused = filters.found(
        lambda: resources.list_page(
            desk(), actor(), cursor=query("cursor"), organization_id=organization_id()
        )
    )
    return page("resources", found=found, refused=refused)


@blueprint.route("/new", methods=("GET", "POST"))
def new() -> Any:
    require(actor(), SCOPES_WRITE)
    form = NewResourceForm()

    def create(maker: Actor) -> resources.ResourceView:
        asked = resources.NewResource(
            identifier=(form.identifier.data or "").strip(),
            organization_id=organization_id(),
            **form.values(),
        )
        return resources.create(desk(), maker, asked)

    made = shell.make(form, create, leads_to=url_of)
    if made is None:
        return page("resource_form", form, resource=None, back=url_for(".index"))
    flash(f"{made.name} can be asked for now.")
    return redirect(url_of(made.id), 303)


@blueprint.get("/<resource_id>")
def show(resource_id: str) -> Any:
    return page("resource", resource=_resource(resource_id))


@blueprint.route("/<resource_id>/edit", methods=("GET", "POST"))
def edit(resource_id: str) -> Any:
    require(actor(), SCOPES_WRITE)
    found = _resource(resource_id)
    form = ResourceForm(obj=found)

    def change() -> resources.ResourceView:
        changes = resources.ResourceChanges(**form.values())
        return resources.update(
            desk(), actor(), resource_id, changes, organization_id=organization_id()
        )

    if shell.attempt(form, change) is None:
        return page("resource_form", form, resource=found, back=url_of(resource_id))
    flash("Saved.")
    return redirect(url_of(resource_id), 303)


@blueprint.route("/<resource_id>/delete", methods=("GET", "POST"))
@confirmed
def delete(resource_id: str) -> Any:
    require(actor(), SCOPES_WRITE)
    return shell.confirm(
        lambda: resources.delete(desk(), actor(), resource_id, organization_id=organization_id()),
        lambda: Question(
            f"Delete {_resource(resource_id).name}?",
            "No token is issued for it any more; those that there are live on until they expire.",
            "Delete the resource",
            url_of(resource_id),
        ),
        done="The resource is gone.",
        leads_to=url_for(".index"),
    )


def url_of(resource_id: str) -> str:
    return url_for("dashboard.resources.show", resource_id=resource_id)


def _resource(resource_id: str) -> resources.ResourceView:
    return resources.show(desk(), actor(), resource_id, organization_id=organization_id())
