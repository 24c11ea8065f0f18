"""Fields of forms that WTForms has in pieces."""

from __future__ import annotations

from collections.abc import Iterable

from wtforms import SelectMultipleField
from wtforms.fields import SelectChoice
from wtforms.widgets import CheckboxInput, ListWidget


class Checkboxes(SelectMultipleField):
    """Several of a list, each with a box."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def choices(labelled: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """Values that one chooses from, with what people read."""
    return [SelectChoice(value, label) for value, label in labelled]
