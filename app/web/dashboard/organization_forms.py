"""What can be set of an organization, a form for each part of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, RadioField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from app.admin import organizations, plans
from app.admin.fields import MAX_NAME
from app.admin.key_templates import example
from app.admin.key_variables import MAX_VARIABLE
from app.admin.labels import MAX_LABEL
from app.admin.organizations import OrganizationView
from app.admin.pages import MAX_LIMIT
from app.errors import Invalid
from app.key_templates import key_template
from app.records import LABELS
from app.web.dashboard.fields import Lines, RateLimitLines, choices
from app.web.dashboard.signed_in import actor, desk
from keyturn.apikey import ALPHABETS, KeyTemplate
from keyturn.errors import (
    CredentialMissing,
    CredentialRefused,
    InsufficientScope,
    InvalidToken,
    RateLimited,
    Reason,
)
from keyturn.profiles import PROFILES, Failure, Presented, present

REQUEST = "req_01example"
REFUSALS: Mapping[str, CredentialRefused] = {
    "No credential": CredentialMissing(),
    "A revoked key": InvalidToken(Reason.REVOKED),
    "A scope that the key lacks": InsufficientScope("bookings:write"),
    "Too many requests": RateLimited((), 30),
}
"""What the example of a presentation profile shows."""


class PartForm(FlaskForm):
    """A part of what can be set."""

    title: ClassVar[str]

    @classmethod
    def of(cls, found: OrganizationView) -> PartForm:
        """As it stands."""
        return cls(obj=found)

    def changes(self) -> dict[str, Any]:
        """As the use case asks for them."""
        return {name: value for name, value in self.data.items() if name != "csrf_token"}

    def preview(self, found: OrganizationView) -> Any:
        """What an example shows of what is typed; None: nothing. Raises Invalid."""
        return None


class GeneralForm(PartForm):
    title = "Name and environments"

    name = StringField("Name", validators=[InputRequired()], render_kw={"maxlength": MAX_NAME})
    environments = Lines(
        "Environments",
        validators=[InputRequired()],
        description="One a line, as live and test. Credentials of one never reach another.",
        render_kw={"rows": 3, "spellcheck": "false"},
    )


class OnPlanForm(PartForm):
    title = "Plan"

    plan_id = SelectField("Plan", description="It holds at once, for every key there is.")

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.plan_id.choices = plan_choices()
        self.plan_id.data = self.plan_id.data or ""

    def changes(self) -> dict[str, Any]:
        return {"plan_id": self.plan_id.data or None}


class KeysForm(PartForm):
    """The template, and the variable that people keep a key in."""

    title = "How API keys look"

    prefix = StringField(
        "Prefix",
        description="By which people and scanners know them; empty: none.",
        render_kw={"maxlength": 67, "spellcheck": "false", "autocapitalize": "off"},
    )
    tells_environment = BooleanField("The key tells its environment", description="As kt_live_…")
    alphabet = SelectField("Alphabet")
    length = IntegerField(
        "Length of the secret", validators=[InputRequired()], render_kw={"min": 22, "max": 128}
    )
    checksum = BooleanField(
        "A checksum at the end", description="A mistyped key is refused without any look-up."
    )
    checksum_length = IntegerField(
        "Length of the checksum", validators=[InputRequired()], render_kw={"min": 4, "max": 8}
    )
    key_variable = StringField(
        "Environment variable",
        description="That people keep a key in; empty: made of the organization's name.",
        render_kw={"maxlength": MAX_VARIABLE, "spellcheck": "false"},
    )

    shown_variable: str

    @classmethod
    def of(cls, found: OrganizationView) -> PartForm:
        template = template_of(found)
        form = cls(
            data={
                "prefix": template.prefix,
                "tells_environment": bool(template.environments),
                "alphabet": _named(template.alphabet),
                "length": template.length,
                "checksum": template.checksum != "none",
                "checksum_length": template.checksum_length,
                "key_variable": found.key_variable,
            }
        )
        form.shown_variable = found.key_variable
        names = {**{name: name for name in ALPHABETS}, _named(template.alphabet): template.alphabet}
        form.alphabet.choices = choices(
            (name, f"{name}: {ALPHABETS[name]}" if name in ALPHABETS else name) for name in names
        )
        return form

    def changes(self) -> dict[str, Any]:
        changes: dict[str, Any] = {"key_template": self.departures()}
        variable = (self.key_variable.data or "").strip() or None
        # What was made of the name goes on with the name.
        return changes if variable == self.shown_variable else {**changes, "key_variable": variable}

    def departures(self) -> dict[str, Any]:
        """What is otherwise than at the installation."""
        typed = {
            "prefix": (self.prefix.data or "").strip(),
            "alphabet": self.alphabet.data,
            "length": self.length.data,
            "checksum": "crc32" if self.checksum.data else "none",
            "checksum_length": self.checksum_length.data,
        }
        usual = KeyTemplate(prefix=desk().settings.key_prefix).fields()
        usual["alphabet"] = _named(usual["alphabet"])
        departures = {name: value for name, value in typed.items() if value != usual[name]}
        return departures if self.tells_environment.data else {**departures, "environments": []}

    def preview(self, found: OrganizationView) -> str:
        return example(desk().settings, found.environments, self.departures())


class ErrorsForm(PartForm):
    title = "How refusals read"

    profile = RadioField("Presentation profile", choices=list(organizations.PROFILES))

    def preview(self, found: OrganizationView) -> dict[str, Presented]:
        return refusals(self.profile.data or found.profile)


class LimitsForm(PartForm):
    title = "Rate limits"

    rate_limits = RateLimitLines("Where neither key nor plan says anything")


class LabelsForm(PartForm):
    title = "Words of the dashboard"

    settings = StringField("Settings", validators=[Length(1, MAX_LABEL)])
    api_keys = StringField("The page of API keys", validators=[Length(1, MAX_LABEL)])
    create_api_key = StringField("The button that makes one", validators=[Length(1, MAX_LABEL)])

    @classmethod
    def of(cls, found: OrganizationView) -> PartForm:
        return cls(data=dict(found.labels))

    def changes(self) -> dict[str, Any]:
        return {"labels": {name: self[name].data or LABELS[name] for name in LABELS}}


PARTS: Mapping[str, type[PartForm]] = {
    "general": GeneralForm,
    "plan": OnPlanForm,
    "keys": KeysForm,
    "errors": ErrorsForm,
    "limits": LimitsForm,
    "labels": LabelsForm,
}
"""By the word in the path."""


def at_its_field(form: FlaskForm, error: Invalid) -> Invalid:
    """A refusal of a key template, at the part of it that it is about."""
    name, _, says = error.description.removeprefix("key_template: ").partition(": ")
    name = "tells_environment" if name == "environments" else name
    return Invalid(says, field=name) if says and name in form else error


def plan_choices() -> Any:
    """The plans that an organization can be put on."""
    known = plans.list_page(desk(), actor(), limit=MAX_LIMIT).data
    return choices([("", "None: nothing is capped"), *((one.id, one.name) for one in known)])


def template_of(found: OrganizationView) -> KeyTemplate:
    """How its keys look."""
    return key_template(desk().settings.key_prefix, found.environments, found.key_template)


def refusals(profile: str) -> dict[str, Presented]:
    """How some refusals read by a profile."""
    return {
        title: present(Failure.of(refused, REQUEST), PROFILES[profile])
        for title, refused in REFUSALS.items()
    }


def _named(alphabet: str) -> str:
    """An alphabet by its name, where it has one."""
    return next((name for name, letters in ALPHABETS.items() if letters == alphabet), alphabet)
