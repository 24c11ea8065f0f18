"""The fields of a page's form, as they are shown: what stands in them, and what is said of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"input", "br", "img", "hr", "meta", "link", "wbr", "path", "circle", "rect", "line"}
HIDDEN = {"hidden", "submit"}


@dataclass
class Field:
    """One name of a form."""

    name: str
    kind: str
    """The type of an ``input``, else its tag."""
    is_invalid: bool = False
    described_by: list[str] = field(default_factory=list)
    options: int = 0

    @property
    def is_secret(self) -> bool:
        """Whether it proves who somebody is."""
        return self.kind == "password" or self.name in ("code", "secret")

    @property
    def is_choice(self) -> bool:
        """Whether one chooses from what is offered."""
        return self.kind in ("select", "radio") or (self.kind == "checkbox" and self.options > 1)


class Fields(HTMLParser):
    """``fields`` of the form with this action and method, and ``texts`` of what has an id and says
    that something is wrong."""

    def __init__(self, page: str, action: str = "", method: str = "post") -> None:
        super().__init__()
        self.fields: dict[str, Field] = {}
        self.texts: dict[str, str] = {}
        self._action, self._method, self._inside = action, method, False
        self._groups: list[dict[str, str | None]] = []
        self._open: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            here = (said.get("action") or "", said.get("method"))
            self._inside = here == (self._action, self._method)
        elif tag == "fieldset":
            self._groups.append(said)
        elif tag in ("input", "select", "textarea") and self._inside:
            self._take(tag, said)
        if tag not in VOID:
            wrong = "invalid-feedback" in (said.get("class") or "").split()
            self._open.append(said.get("id") if wrong else None)

    def _take(self, tag: str, said: dict[str, str | None]) -> None:
        kind = (said.get("type") or "text") if tag == "input" else tag
        name = said.get("name")
        if not name or kind in HIDDEN:
            return
        # What is said of several boxes together is said of their group.
        about = [said, *(one for one in self._groups if one.get("id") == name)]
        found = self.fields.setdefault(name, Field(name, kind))
        found.options += 1
        found.is_invalid |= any(one.get("aria-invalid") == "true" for one in about)
        found.described_by += [
            id for one in about for id in (one.get("aria-describedby") or "").split()
        ]

    def handle_data(self, data: str) -> None:
        for id in filter(None, self._open):
            self.texts[id] = self.texts.get(id, "") + data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "fieldset":
            self._groups.pop()
        if tag not in VOID:
            self._open.pop()

    def wrong(self, name: str) -> str:
        """What is said to be wrong with a field, where it is tied to it; "": nothing."""
        found = self.fields[name]
        texts = [self.texts[id] for id in found.described_by if id in self.texts]
        return "; ".join(texts) if found.is_invalid else ""
