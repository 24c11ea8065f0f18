"""Why does this key not work? Each rule by itself; the key is sent in a form, and shown nowhere."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectField, StringField
from wtforms.validators import InputRequired

from app.apikeys import inspection
from app.web.dashboard import shell
from app.web.dashboard.fields import Address, choices
from app.web.dashboard.shell import page
from app.web.dashboard.signed_in import actor, desk, organization, organization_id

blueprint = Blueprint("inspector", __name__, url_prefix="/inspector")


class InspectionForm(FlaskForm):
    """A key, and the request in which it shall work."""

    key = PasswordField(
        "The key",
        validators=[InputRequired("Paste the key")],
        description="As it is sent behind «Bearer». It is looked at and not kept.",
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    ip = StringField("From the address", render_kw={"maxlength": 64})
    origin = Address(
        "From the web page", description="https://shop.example.com", render_kw={"maxlength": 300}
    )
    environment = SelectField("At an API of", default="")
    scopes = StringField("The route needs", description="Scopes, apart by blanks.")

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        names = [(name, name) for name in organization().environments]
        self.environment.choices = choices([("", "any environment"), *names])

    def situation(self) -> inspection.Situation:
        return inspection.Situation(
            ip=(self.ip.data or "").strip() or None,
            origin=(self.origin.data or "").strip() or None,
            environment=self.environment.data or None,
            scopes=(self.scopes.data or "").split(),
        )


@blueprint.route("", methods=("GET", "POST"))
def index() -> Any:
    form = InspectionForm()
    found = shell.attempt(
        form,
        lambda: inspection.inspect(
            desk(),
            actor(),
            (form.key.data or "").strip(),
            form.situation(),
            organization_id=organization_id(),
        ),
    )
    return page("inspector", form, found=found)
