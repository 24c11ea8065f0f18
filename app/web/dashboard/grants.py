"""Choosing scopes of the catalogue and wildcards; and for a credential, a preset instead."""

from __future__ import annotations

from typing import Any

from wtforms import Field, SelectField, StringField
from wtforms.validators import ValidationError

from app.admin import presets
from app.admin.grants import known_grant
from app.admin.pages import MAX_LIMIT
from app.builtin import NAMESPACE, SCOPES_READ
from app.errors import Invalid
from app.web.dashboard.fields import Checkboxes, choices
from app.web.dashboard.shell import OnceForm
from app.web.dashboard.signed_in import actor, desk, may, organization, organization_id


class ScopesForm(OnceForm):
    """The part of a form that names scopes."""

    scopes = Checkboxes("Scopes")
    wildcards = StringField(
        "Wildcards",
        description="Everything below a name, apart by blanks: bookings:* reports:*",
    )

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        # Administration last: rarely what a credential is for.
        known = sorted(organization().catalogue.scopes, key=lambda name: (is_builtin(name), name))
        self.scopes.choices = known
        if not self.is_submitted():
            held = self.held()
            self.scopes.data = [name for name in held if name in known]
            self.wildcards.data = " ".join(name for name in held if name not in known)

    def validate_wildcards(self, typed: Field) -> None:
        """By itself, so that a refusal stands here and not at the boxes."""
        try:
            known_grant(organization(), (typed.data or "").split())
        except Invalid as error:
            raise ValidationError(error.description) from None

    def held(self) -> list[str]:
        """What is chosen before anybody has chosen."""
        return list(self.scopes.data or ())

    def chosen(self) -> list[str]:
        """The scopes and the wildcards together."""
        return [*(self.scopes.data or ()), *(self.wildcards.data or "").split()]

    def groups(self) -> tuple[tuple[str, list[Any]], ...]:
        """The boxes: the organization's own scopes, and those of administration."""
        options = list(self.scopes)
        own = [one for one in options if not is_builtin(one.data)]
        return ("", own), ("Administration of Keyturn", [one for one in options if one not in own])

    def about(self, scope: str) -> str:
        """What the catalogue says of it."""
        return organization().catalogue.scopes[scope].description


class GrantForm(ScopesForm):
    """The part of a form that says what a credential may do."""

    preset = SelectField(
        "Preset",
        default="",
        description="A named set of scopes, as it is now.",
        filters=(lambda chosen: chosen or "",),  # where there are none, it is not asked for
    )

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.preset.choices = choices([("", "None: the scopes below"), *_presets()])

    def held(self) -> list[str]:
        # A preset holds what it held when it was granted: the boxes are for another choice.
        return [] if self.preset.data else super().held()

    def grant(self) -> dict[str, Any]:
        """``scopes`` and ``preset`` as use cases ask for them."""
        return {"scopes": self.chosen() or None, "preset": self.preset.data or None}


def is_builtin(scope: str) -> bool:
    """Whether it is one of administration."""
    return scope.startswith(NAMESPACE)


def _presets() -> list[tuple[str, str]]:
    if not may(SCOPES_READ):
        return []
    known = presets.list_page(desk(), actor(), limit=MAX_LIMIT, organization_id=organization_id())
    return [(one.name, f"{one.name} ({len(one.scopes)} scopes)") for one in known.data]
