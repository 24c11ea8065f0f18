"""Fields of forms that WTForms has in pieces."""

from __future__ import annotations

from collections.abc import Iterable

from wtforms import SelectMultipleField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.widgets import CheckboxInput, ListWidget


class Checkboxes(SelectMultipleField):
    """Several of a list, each with a box."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def choices(labelled: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """Values that one chooses from, with what people read."""
    return [SelectChoice(value, label) for value, label in labelled]


class Lines(TextAreaField):
    """Several texts, one a line; empty lines are nothing."""

    def process_formdata(self, valuelist: list[str]) -> None:
        lines = (valuelist[0] if valuelist else "").splitlines()
        self.data = [line.strip() for line in lines if line.strip()]

    def _value(self) -> str:
        return "\n".join(self.data or ())
