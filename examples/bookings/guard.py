"""The seam between the API and keyturn: `@needs` on a view, `shelf()` in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from flask import current_app
from werkzeug.local import LocalProxy

from examples.bookings.store import Shelf, Store
from keyturn import InvalidToken, Reason, Verifier
from keyturn.flask import current_principal, require_scope

P = ParamSpec("P")
R = TypeVar("R")

VERIFIER = "bookings.verifier"
STORE = "bookings.store"

# One verifier for each app, made by its factory: views are declared before there is one.
_verifier = cast(Verifier, LocalProxy(lambda: current_app.extensions[VERIFIER]))


def needs(*scopes: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a request through to the view if its credential holds all these scopes."""
    return require_scope(_verifier, *scopes)


def shelf() -> Shelf:
    """The data that the caller may see: its organization's, in its environment, and no other.

    Nothing in the request can name another one.
    """
    organization, environment = current_principal.organization, current_principal.environment
    if organization is None or environment is None:
        raise InvalidToken(Reason.ORG_REQUIRED, detail="a credential of no organization")
    store: Store = current_app.extensions[STORE]
    return store.shelf(organization, environment)
