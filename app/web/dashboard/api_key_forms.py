"""What is asked for when an API key is made, changed, followed by another one, or ended."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from wtforms import DateField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Optional, StopValidation

from app.admin.fields import MAX_DESCRIPTION, MAX_NAME
from app.apikeys.endings import MAX_REASON, REASONS
from app.apikeys.rules import MISSING_ORIGIN
from app.apikeys.values import ApiKeyView
from app.records import DENY
from app.web.dashboard.fields import Hosts, choices, written
from app.web.dashboard.grants import GrantForm
from app.web.dashboard.shell import OnceForm
from app.web.dashboard.signed_in import desk, organization

CUSTOM = "custom"
EXPIRIES = (
    ("7", "In 7 days"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    (CUSTOM, "On a day of your own"),
    ("", "Never"),
)
KINDS = (
    ("secret", "Secret: for servers"),
    ("publishable", "Publishable: for web pages, bound to domains and to public scopes"),
)
GRACES = (
    ("", "As the organization has it"),
    ("3600", "For an hour"),
    ("86400", "For 24 hours"),
    ("604800", "For 7 days"),
    ("0", "Not at all"),
)
WHY = {
    "routine": "Routine",
    "employee_left": "Somebody has left who knew it",
    "incident": "An incident",
    "hosting_change": "A move to another host",
    "compromised": "It is compromised",
}
_ENDLESS = time(23, 59, 59)


class DayOfOnesOwn(Optional):
    """A day is needed where one wants to choose it, and else not looked at."""

    def __call__(self, form: Any, field: Any) -> None:
        if form.expires.data == CUSTOM and not (field.raw_data and field.raw_data[0]):
            field.errors = []
            raise StopValidation("Choose the day")
        super().__call__(form, field)


class RestrictionForm(OnceForm):
    """What may be changed of a key as long as it lives."""

    name = StringField("Name", validators=[InputRequired()], render_kw={"maxlength": MAX_NAME})
    description = TextAreaField("Description", render_kw={"rows": 2, "maxlength": MAX_DESCRIPTION})
    allowed_ips = TextAreaField(
        "Allowed IP addresses",
        render_kw={"rows": 2},
        description="Addresses and ranges, one a line: 192.0.2.0/24. Empty: from anywhere.",
    )
    allowed_domains = Hosts(
        "Allowed domains",
        render_kw={"rows": 2},
        description="Hosts of web pages, one a line: *.example.com. Empty: any.",
    )
    missing_origin = SelectField(
        "Without an Origin", description="A key that is bound to domains, used by no web page."
    )
    rate_limits = TextAreaField(
        "Rate limits",
        render_kw={"rows": 2},
        description="In place of the plan's, one a line: 100/minute, or 30/minute:booking for one "
        "class of routes.",
    )

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.missing_origin.choices = [*MISSING_ORIGIN]

    def restrictions(self) -> dict[str, Any]:
        """As use cases ask for them."""
        return {
            "name": self.name.data,
            "description": self.description.data or "",
            "allowed_ips": (self.allowed_ips.data or "").split(),
            "allowed_domains": (self.allowed_domains.data or "").split(),
            "missing_origin": self.missing_origin.data or None,
            "rate_limits": (self.rate_limits.data or "").split(),
        }


class NewKeyForm(RestrictionForm, GrantForm):
    """And what is said once."""

    environment = RadioField("Environment", validators=[InputRequired("Choose one")])
    kind = RadioField("Kind", choices=choices(KINDS), default=KINDS[0][0])
    expires = SelectField("Expires", choices=choices(EXPIRIES), default="90")
    expires_at = DateField(
        "Its last day", validators=[DayOfOnesOwn()], description="In UTC; for a day of your own."
    )

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.environment.choices = list(organization().environments)
        self.missing_origin.choices = choices(
            [("", "As the organization has it"), *((one, one) for one in MISSING_ORIGIN)]
        )

    def end(self) -> datetime | None:
        """When the key expires."""
        if self.expires.data == CUSTOM:
            return datetime.combine(self.expires_at.data, _ENDLESS, UTC)
        days = self.expires.data
        return desk().clock() + timedelta(days=int(days)) if days else None


class RotationForm(OnceForm):
    """How a key is followed by another one."""

    grace = SelectField("The present key lives on", choices=choices(GRACES))
    reason = SelectField("Why", choices=choices(WHY.items()))


class CompromisedForm(OnceForm):
    """Why a key ends now and is replaced."""

    reason = StringField(
        "What has happened",
        description="For the activity log.",
        render_kw={"maxlength": MAX_REASON},
    )


class RevokingForm(OnceForm):
    """Why a key ends."""

    reason = SelectField("Why", choices=choices([("", "–"), *((one, WHY[one]) for one in REASONS)]))


def lines(key: ApiKeyView) -> dict[str, Any]:
    """A key as the form for its restrictions shows it."""
    return {
        "name": key.name,
        "description": key.description,
        "allowed_ips": "\n".join(key.allowed_ips),
        "allowed_domains": "\n".join(key.allowed_domains),
        "missing_origin": key.missing_origin or DENY,
        "rate_limits": "\n".join(written(one) for one in key.rate_limits),
    }
