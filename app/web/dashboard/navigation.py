"""Where the pages are: what of it somebody sees is what their scopes allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask import Blueprint

from app.records import Actor

SETTINGS = "settings"
INSTALLATION = "Installation"
"""Headings; one that is a name of ``LABELS`` is called as the organization calls it."""


@dataclass(frozen=True, slots=True)
class Page:
    """An area: its blueprint, and how the navigation calls it."""

    blueprint: Blueprint
    label: str
    """Words, or the name of a label of the organization."""
    section: str = ""
    """Under which heading; "": on top."""
    scope: str | None = None
    """Who does not hold it does not see the page; None: everybody does."""
    is_for_operator: bool = False
    about: str = ""
    """What one does there, in a line."""
    also: tuple[Blueprint, ...] = ()
    """What lies below it."""

    @property
    def blueprints(self) -> tuple[Blueprint, ...]:
        return (self.blueprint, *self.also)

    @property
    def endpoint(self) -> str:
        """Of its first page."""
        return f"dashboard.{self.blueprint.name}.index"

    def is_for(self, actor: Actor) -> bool:
        if self.is_for_operator and not actor.is_operator:
            return False
        return self.scope is None or self.scope in actor.scopes


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in somebody's navigation."""

    endpoint: str
    label: str
    about: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Section:
    """Pages under one heading."""

    name: str
    label: str
    entries: tuple[Entry, ...]


def sections(
    pages: Iterable[Page], actor: Actor, labels: Mapping[str, str], here: str | None
) -> tuple[Section, ...]:
    """What this actor may see; ``here`` is the blueprint of the page that is shown."""
    found: dict[str, list[Entry]] = {}
    for page in pages:
        if page.is_for(actor):
            is_here = here in {f"dashboard.{one.name}" for one in page.blueprints}
            label = labels.get(page.label, page.label)
            entry = Entry(page.endpoint, label, page.about, is_here)
            found.setdefault(page.section, []).append(entry)
    return tuple(
        Section(name, labels.get(name, name), tuple(entries)) for name, entries in found.items()
    )
