"""Fields of forms that WTForms has in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wtforms import SelectMultipleField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.widgets import CheckboxInput, ListWidget

from app.admin.fields import without_userinfo
from app.crypto.client_keys import without_private
from keyturn.limits.values import WINDOWS


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


CODE_INPUT = {"autocomplete": "one-time-code", "inputmode": "numeric", "maxlength": 16}
"""Of a code that an app shows."""


class Proof(StringField):
    """A code, or what is behind a link: typed once, and not shown again."""

    def _value(self) -> str:
        return ""


class PublicKeys(TextAreaField):
    """A JWK Set; of a private key, pasted by mistake, nothing is shown again."""

    def _value(self) -> str:
        return without_private(self.data) if self.data else ""


class Address(StringField):
    """A URL; of a user name and a password in it nothing is shown again."""

    def _value(self) -> str:
        return without_userinfo(self.data or "")


class Hosts(TextAreaField):
    """Hosts, one a line; the same where somebody pastes a URL."""

    def _value(self) -> str:
        return _without_userinfos(self.data or "")


def _without_userinfos(text: str) -> str:
    return "\n".join(map(without_userinfo, text.splitlines()))


SHOWN_AGAIN: dict[str, Callable[[str], str]] = {
    "jwks": without_private,
    "jwks_uri": without_userinfo,
    "allowed_domains": _without_userinfos,
}
"""What a page that asks for something else may keep of these fields of the form before it."""


class RateLimitLines(Lines):
    """Limits as people write them, one a line."""

    def __init__(self, label: str, **also: Any) -> None:
        about = f"One a line: so many each {', '.join(WINDOWS)}, as 100/minute; or in a class of "
        about += "routes alone, as 30/minute:booking. One class may have several windows."
        also.setdefault("description", about)
        also.setdefault("render_kw", {"rows": 4, "spellcheck": "false"})
        super().__init__(label, **also)

    def _value(self) -> str:
        return "\n".join(one if isinstance(one, str) else written(one) for one in self.data or ())


def written(limit: Mapping[str, Any]) -> str:
    """A limit as it is kept, as people write it."""
    route_class = f":{limit['class']}" if limit["class"] else ""
    return f"{limit['limit']}/{limit['window']}{route_class}"
