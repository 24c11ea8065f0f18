"""People who sign in, as time passes."""

from dataclasses import replace
from datetime import timedelta

from app.admin import (
    sign_in,
)
from app.storage.store import Store
from tests.support.people import ORIGIN, PASSWORD

ANOTHER = "eleven copper lanterns"


def later(desk, **away):
    """The same desk, so much later."""

    def clock():
        return desk.clock() + timedelta(**away)

    return replace(desk, clock=clock, store=Store(desk.store.engine, clock))


def now(desk, steps=0):
    return int(desk.clock().timestamp()) + 30 * steps


def enter(desk, person, password=PASSWORD, **also):
    return sign_in.by_password(
        desk, person.user.email, password, also.pop("origin", ORIGIN), **also
    )


def failures(house, person):
    """Reasons of the failed sign-ins of this user, once the journal was shipped."""
    house.services.shipper.ship_now()
    rows = house.rows(
        "SELECT reason FROM audit_events WHERE type = 'user.sign_in_failed'"
        " AND target_id = :id ORDER BY id",
        id=person.user.id,
    )
    return [row.reason for row in rows]
