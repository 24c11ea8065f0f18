"""The scope catalogue: what can be granted, what comes with it, and who names it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from wtforms import BooleanField, StringField, TextAreaField
from wtforms.validators import InputRequired

from app.admin import scopes
from app.admin.fields import MAX_DESCRIPTION
from app.admin.rights import require
from app.builtin import SCOPES_WRITE
from app.records import Actor
from app.web.dashboard import filters, shell
from app.web.dashboard.fields import Checkboxes
from app.web.dashboard.grants import is_builtin
from app.web.dashboard.shell import OnceForm, Question, page, query
from app.web.dashboard.signed_in import actor, confirmed, desk, organization, organization_id
from keyturn.scope import MAX_TOKEN_LENGTH

blueprint = Blueprint("scopes", __name__, url_prefix="/scopes")

PAGE_OF = {
    "client": ("dashboard.clients.show", "client_id"),
    "API key": ("dashboard.api_keys.show", "key_id"),
    "preset": ("dashboard.presets.show", "name"),
    "resource": ("dashboard.resources.show", "resource_id"),
    "scope": ("dashboard.scopes.show", "name"),
}
"""Where that is shown which names a scope, and what its id is called there."""


class ScopeForm(OnceForm):
    """What may be changed of a scope."""

    description = TextAreaField(
        "Description",
        description="For people who grant it: what may be done with it.",
        render_kw={"rows": 2, "maxlength": MAX_DESCRIPTION},
    )
    implies = Checkboxes("Implies", description="Scopes that come with it, wherever it is granted.")
    public = BooleanField(
        "Publishable keys may hold it",
        description="They stand in web pages, where everybody reads them.",
    )

    def __init__(self, *args: Any, own: str = "", **values: Any) -> None:
        super().__init__(*args, **values)
        known = sorted(organization().catalogue.scopes)
        self.implies.choices = [name for name in known if name != own and not is_builtin(name)]

    def values(self) -> dict[str, Any]:
        """As use cases ask for them."""
        return {
            "description": self.description.data or "",
            "implies": tuple(self.implies.data or ()),
            "public": self.public.data,
        }


class NewScopeForm(ScopeForm):
    """And its name, which is for life."""

    name = StringField(
        "Name",
        validators=[InputRequired()],
        description="As resource:action, for instance bookings:read.",
        render_kw={"maxlength": MAX_TOKEN_LENGTH, "autocapitalize": "off", "spellcheck": "false"},
    )


@blueprint.get("")
def index() -> Any:
    found, refused = filters.found(
        lambda: scopes.list_page(
            desk(),
            actor(),
            cursor=query("cursor"),
            search=query("search"),
            builtin=query("all") is not None,
            organization_id=organization_id(),
        )
    )
    return page("scopes", found=found, refused=refused)


@blueprint.route("/new", methods=("GET", "POST"))
def new() -> Any:
    require(actor(), SCOPES_WRITE)
    form = NewScopeForm()

    def add(maker: Actor) -> scopes.ScopeView:
        asked = scopes.NewScope(
            name=(form.name.data or "").strip(),
            organization_id=organization_id(),
            **form.values(),
        )
        return scopes.add(desk(), maker, asked)

    made = shell.make(form, add, leads_to=url_of)
    if made is None:
        return page("scope_form", form, scope=None, back=url_for(".index"))
    flash(f"{made.name} can be granted now.")
    return redirect(url_of(made.name), 303)


@blueprint.get("/show")
def show() -> Any:
    scope = _asked_for()
    namings = scopes.namings(desk(), actor(), scope.name, organization_id=organization_id())
    links = [(one, _link(one)) for one in namings]
    return page("scope", scope=scope, namings=links, most=scopes.MAX_NAMINGS)


@blueprint.route("/edit", methods=("GET", "POST"))
def edit() -> Any:
    require(actor(), SCOPES_WRITE)
    found = _asked_for()
    form = ScopeForm(obj=found, own=found.name)

    def change() -> scopes.ScopeView:
        changes = scopes.ScopeChanges(**form.values())
        return scopes.update(
            desk(), actor(), found.name, changes, organization_id=organization_id()
        )

    if shell.attempt(form, change) is None:
        return page("scope_form", form, scope=found, back=url_of(found.name))
    flash("Saved.")
    return redirect(url_of(found.name), 303)


@blueprint.route("/remove", methods=("GET", "POST"))
@confirmed
def remove() -> Any:
    require(actor(), SCOPES_WRITE)
    name = request.args.get("name", "")
    return shell.confirm(
        lambda: scopes.remove(desk(), actor(), name, organization_id=organization_id()),
        lambda: Question(
            f"Remove {_asked_for().name}?",
            "Nobody can be granted it any more. Wildcards that cover it stay, and cover less.",
            "Remove the scope",
            url_of(name),
        ),
        done=f"{name} is gone.",
        leads_to=url_for(".index"),
    )


def url_of(name: str) -> str:
    # In the query: a name may hold what paths may not, as ".." or "//".
    return url_for("dashboard.scopes.show", name=name)


def _asked_for() -> scopes.ScopeView:
    name = request.args.get("name", "")
    return scopes.show(desk(), actor(), name, organization_id=organization_id())


def _link(naming: scopes.Naming) -> str:
    """Its page."""
    endpoint, argument = PAGE_OF[naming.kind]
    values: dict[str, Any] = {argument: naming.id}
    return url_for(endpoint, **values)
