"""Clients: the list, one of them, and what is done with it. Their secrets: ``client_secrets``."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response
from wtforms import IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Optional

from app.admin import client_secrets, clients
from app.admin.client_keys import METHOD as PRIVATE_KEY_JWT
from app.admin.desk import SECRET_METHODS
from app.admin.fields import MAX_DESCRIPTION, MAX_NAME
from app.builtin import CLIENTS_WRITE
from app.errors import Invalid
from app.records import ACTIVE, Actor
from app.web.dashboard import filters, shell
from app.web.dashboard.examples import token_requests
from app.web.dashboard.fields import Address, Checkboxes, PublicKeys, choices
from app.web.dashboard.grants import GrantForm
from app.web.dashboard.shell import Question, page, query
from app.web.dashboard.signed_in import (
    actor,
    confirmed,
    desk,
    needs,
    only_environment,
    organization,
    organization_id,
)

blueprint = Blueprint("clients", __name__, url_prefix="/clients")

METHODS = {
    "client_secret_basic": "Secret by HTTP Basic, which most libraries do",
    "client_secret_post": "Secret in the body of the request",
    PRIVATE_KEY_JWT: "Assertion signed by a key of its own (private_key_jwt)",
}
LIVES = (("", "Never"), ("90", "In 90 days"), ("180", "In 180 days"), ("365", "In a year"))
"""When a secret expires, in days."""


class ClientForm(GrantForm):
    """What may be changed of a client."""

    name = StringField("Name", validators=[InputRequired()], render_kw={"maxlength": MAX_NAME})
    description = TextAreaField("Description", render_kw={"rows": 2, "maxlength": MAX_DESCRIPTION})
    audiences = Checkboxes(
        "Audiences", description="Resources it may ask tokens for; none chosen: every one."
    )
    token_endpoint_auth_method = RadioField("How it authenticates")
    jwks = PublicKeys(
        "Its public keys",
        render_kw={"rows": 3, "spellcheck": "false"},
        description="A JWK Set, of a client that signs; or in place of them:",
    )
    jwks_uri = Address("The address of its public keys")
    token_ttl = IntegerField(
        "Life of its tokens in seconds",
        validators=[Optional()],
        description="Empty: as the installation has it.",
    )

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.audiences.choices = [resource.identifier for resource in organization().resources]
        self.token_endpoint_auth_method.choices = choices(
            (method, METHODS.get(method, method)) for method in desk().auth_methods
        )

    def values(self) -> dict[str, Any]:
        """As use cases ask for them."""
        return {
            "name": self.name.data,
            "description": self.description.data or "",
            "audiences": tuple(self.audiences.data or ()),
            "token_endpoint_auth_method": self.token_endpoint_auth_method.data,
            "token_ttl": self.token_ttl.data,
            **self._keys(),
            **self.grant(),
        }

    def _keys(self) -> dict[str, Any]:
        """Those of a client that signs; any other has none."""
        if self.token_endpoint_auth_method.data != PRIVATE_KEY_JWT:
            return {"jwks": None, "jwks_uri": None}
        try:
            jwks = json.loads(self.jwks.data) if self.jwks.data else None
        except (ValueError, RecursionError):
            raise Invalid("jwks is not JSON", field="jwks") from None
        if jwks is not None and not isinstance(jwks, dict):
            raise Invalid("jwks must be a JWK Set", field="jwks")
        return {"jwks": jwks, "jwks_uri": self.jwks_uri.data or None}


class NewClientForm(ClientForm):
    """And what is said once."""

    environment = RadioField("Environment", validators=[InputRequired("Choose one")])
    secret_life = SelectField("Its secret expires", choices=choices(LIVES))

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.environment.choices = list(organization().environments)


@blueprint.get("")
def index() -> Any:
    found, refused = filters.found(
        lambda: clients.list_page(
            desk(),
            actor(),
            cursor=query("cursor"),
            status=query("status"),
            environment=query("environment"),
            search=query("search"),
            organization_id=organization_id(),
        )
    )
    return page("clients", found=found, refused=refused, statuses=clients.STATUSES)


@blueprint.route("/new", methods=("GET", "POST"))
@needs(CLIENTS_WRITE)
@confirmed
def new() -> Any:
    form = NewClientForm(
        environment=only_environment(), token_endpoint_auth_method=SECRET_METHODS[0]
    )

    def create(maker: Actor) -> clients.CreatedClient:
        asked = clients.NewClient(
            organization_id=organization_id(),
            environment=form.environment.data,
            secret_expires_at=expires_at(form.secret_life.data),
            **form.values(),
        )
        return clients.create(desk(), maker, asked)

    made = shell.make(form, create, leads_to=url_of)
    if made is None:
        return page("client_form", form, client=None, back=url_for(".index"))
    return page(
        "client_created",
        client=made.client,
        secret=made.client_secret,
        examples=examples(made.client, made.client_secret),
    )


@blueprint.get("/<client_id>")
def show(client_id: str) -> Any:
    found = client(client_id)
    secrets = client_secrets.list_all(desk(), actor(), client_id, organization_id=organization_id())
    return page("client", client=found, secrets=secrets, examples=examples(found))


@blueprint.route("/<client_id>/edit", methods=("GET", "POST"))
@needs(CLIENTS_WRITE)
def edit(client_id: str) -> Any:
    found = client(client_id)
    form = ClientForm(
        data=asdict(found) | {"jwks": found.jwks and json.dumps(found.jwks, indent=1)}
    )

    def change() -> clients.ClientView:
        changes = clients.ClientChanges(**_changed(found, form.values()))
        return clients.update(
            desk(), actor(), client_id, changes, organization_id=organization_id()
        )

    if shell.attempt(form, change) is None:
        return page("client_form", form, client=found, back=url_of(client_id))
    flash("Saved.")
    return redirect(url_of(client_id), 303)


def _changed(found: clients.ClientView, values: dict[str, Any]) -> dict[str, Any]:
    """What differs: to leave a grant as it is needs no right to give it."""
    left_alone = values["preset"] == found.preset and (
        values["scopes"] is None
        if found.preset
        else set(values["scopes"] or ()) == set(found.scopes)
    )
    if left_alone:
        del values["preset"], values["scopes"]
    return {
        name: value
        for name, value in values.items()
        if name in ("preset", "scopes") or value != getattr(found, name)
    }


@blueprint.post("/<client_id>/status")
@needs(CLIENTS_WRITE)
def change_status(client_id: str) -> Response:
    """Disable or enable."""
    change = clients.enable if request.form.get("status") == ACTIVE else clients.disable
    found = change(desk(), actor(), client_id, organization_id=organization_id())
    flash(f"{found.name} is {found.status}.")
    return redirect(url_of(client_id), 303)


@blueprint.route("/<client_id>/delete", methods=("GET", "POST"))
@needs(CLIENTS_WRITE)
@confirmed
def delete(client_id: str) -> Any:
    return shell.confirm(
        lambda: clients.delete(desk(), actor(), client_id, organization_id=organization_id()),
        lambda: Question(
            f"Delete {client(client_id).name}?",
            "It gets no more tokens, and what it has got is refused. Its activity stays in the "
            "log. This cannot be undone.",
            "Delete the client",
            url_of(client_id),
        ),
        done="The client was deleted.",
        leads_to=url_for(".index"),
    )


def client(client_id: str) -> clients.ClientView:
    return clients.show(desk(), actor(), client_id, organization_id=organization_id())


def url_of(client_id: str) -> str:
    return url_for("dashboard.clients.show", client_id=client_id)


def examples(found: clients.ClientView, secret: str | None = None) -> Any:
    return token_requests(found, organization(), desk().settings.issuer, secret)


def expires_at(days: str | None) -> Any:
    """An instant so many days from now; None: never."""
    return desk().clock() + timedelta(days=int(days)) if days else None
