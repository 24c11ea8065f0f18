"""The seam between the views and keyturn: `shelf()`."""

from __future__ import annotations

from flask import current_app

from examples.bookings.store import Shelf, Store
from keyturn import InvalidToken, Reason
from keyturn.flask import current_principal

VERIFIER = "bookings.verifier"
STORE = "bookings.store"


def shelf() -> Shelf:
    """The data that the caller may see: its organization's, in its environment, and no other.

    Nothing in the request can name another one.
    """
    organization, environment = current_principal.organization, current_principal.environment
    if organization is None or environment is None:
        raise InvalidToken(Reason.ORG_REQUIRED, detail="a credential of no organization")
    store: Store = current_app.extensions[STORE]
    return store.shelf(organization, environment)
