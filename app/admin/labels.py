"""What an organization's dashboard calls its pages: five documents send their readers there by
five names (S0-4, S1-4, S2-13, S3-5, S4-1)."""

from __future__ import annotations

from collections.abc import Mapping

from app.admin import fields
from app.errors import Invalid
from app.records import LABELS

MAX_LABEL = 40
SETTING = "labels"


def read_labels(given: Mapping[str, str]) -> dict[str, str]:
    """Those that are otherwise than by default. Raises Invalid, naming the field."""
    for name, text in given.items():
        if name not in LABELS:
            raise Invalid(f"labels has no {name[:64]!r}: {', '.join(LABELS)}", field=SETTING)
        if not text.strip():
            raise Invalid(f"labels.{name} must not be empty", field=f"{SETTING}.{name}")
    read = {name: fields.note(text, f"{SETTING}.{name}", MAX_LABEL) for name, text in given.items()}
    return {name: text for name, text in read.items() if text != LABELS[name]}
