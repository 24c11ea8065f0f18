"""A client's secrets: one more, in place of the others or beside them, and the end of one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from wtforms import RadioField, SelectField, StringField

from app.admin import client_secrets
from app.builtin import CLIENTS_WRITE
from app.records import Actor
from app.web.dashboard import clients, shell
from app.web.dashboard.fields import choices
from app.web.dashboard.shell import OnceForm, Question, page
from app.web.dashboard.signed_in import (
    actor,
    confirmed,
    desk,
    needs,
    organization_id,
)

blueprint = Blueprint("client_secrets", __name__, url_prefix="/clients/<client_id>/secrets")

STAY = "stay"
GRACES = (
    ("86400", "End in 24 hours: time to bring the new one everywhere"),
    ("604800", "End in 7 days"),
    (STAY, "Stay as they are"),
    ("0", "End now: somebody else may know them"),
)


class NewSecretForm(OnceForm):
    """How a secret is made, and what happens to those that there are."""

    grace = RadioField("The present secrets", choices=choices(GRACES), default=GRACES[0][0])
    life = SelectField("The new one expires", choices=choices(clients.LIVES))
    note = StringField("Note", description="Where it is used, for instance.")


@blueprint.route("/new", methods=("GET", "POST"))
@needs(CLIENTS_WRITE)
@confirmed
def new(client_id: str) -> Any:
    client = clients.client(client_id)
    form = NewSecretForm()

    def add(maker: Actor) -> client_secrets.CreatedSecret:
        asked = client_secrets.NewSecret(
            grace_seconds=None if form.grace.data == STAY else int(form.grace.data),
            expires_at=clients.expires_at(form.life.data),
            note=form.note.data or "",
        )
        return client_secrets.add(
            desk(), maker, client_id, asked, organization_id=organization_id()
        )

    made = shell.make(form, add, leads_to=clients.url_of)
    if made is None:
        return page("client_secret_form", form, client=client, back=clients.url_of(client_id))
    return page(
        "client_created",
        client=client,
        secret=made.client_secret,
        examples=clients.examples(client, made.client_secret),
    )


@blueprint.route("/<secret_id>/end", methods=("GET", "POST"))
@needs(CLIENTS_WRITE)
@confirmed
def end(client_id: str, secret_id: str) -> Any:
    back = clients.url_of(client_id)
    return shell.confirm(
        lambda: client_secrets.remove(
            desk(), actor(), client_id, secret_id, organization_id=organization_id()
        ),
        lambda: Question(
            "End this secret?",
            f"Whoever still uses it for {clients.client(client_id).name} gets no more tokens, and "
            "the tokens that were obtained with it are refused. This cannot be undone.",
            "End the secret",
            back,
        ),
        done="The secret has ended.",
        leads_to=back,
    )
