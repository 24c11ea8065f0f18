"""The API: each route, and what it does. What it asks of a credential stands in `policy.py`.

A scope is looked for as it is written: what implies what was worked out when the credential was
made, so `bookings:write` arrives together with `bookings:create`.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for

from examples.bookings.bodies import BookingChanges, Capacity, NewBooking, read
from examples.bookings.guard import shelf
from examples.bookings.store import Booking
from keyturn.flask import current_principal

Answer = dict[str, Any] | tuple[Any, int] | tuple[Any, int, dict[str, str]]

health = Blueprint("health", __name__)
v1 = Blueprint("v1", __name__, url_prefix="/v1")
people = Blueprint("people", __name__, url_prefix="/api/v1/users")
widget = Blueprint("widget", __name__, url_prefix="/v1/widget")


@health.get("/health")
def alive() -> Answer:
    """For whoever asks: no credential needed, and a broken one does no harm."""
    return {"status": "ok"}


@v1.get("/experiences")
def experiences() -> Answer:
    return {"data": list(shelf().experiences.values())}


@v1.get("/experiences/<experience_id>")
def experience(experience_id: str) -> Answer:
    return {"data": shelf().experience(experience_id)}


@v1.get("/services")
def services() -> Answer:
    """The same experiences, by the name that other products have for them."""
    return experiences()


@v1.get("/event-types")
def event_types() -> Answer:
    """And by a third one."""
    return experiences()


@people.get("/me")
def me() -> Answer:
    """Who presents this credential; a good first call."""
    return {
        "data": {
            "kind": current_principal.kind,
            "id": current_principal.id,
            "organization": current_principal.organization,
            "environment": current_principal.environment,
            "scopes": list(current_principal.scopes),
            "expires_at": current_principal.expires_at,
        }
    }


@v1.get("/properties")
def properties() -> Answer:
    return {"data": list(shelf().properties.values())}


@v1.get("/properties/<property_id>")
def property_(property_id: str) -> Answer:
    return {"data": shelf().property(property_id)}


@v1.get("/availability")
def availability() -> Answer:
    return {"data": shelf().slots(request.args.get("experience_id"))}


@v1.put("/availability")
def set_availability() -> Answer:
    new = read(Capacity)
    return {"data": shelf().set_capacity(new.experience_id, new.starts_at, new.capacity)}


@v1.get("/bookings")
def bookings() -> Answer:
    return {"data": list(shelf().bookings.values())}


@v1.get("/bookings/<booking_id>")
def booking(booking_id: str) -> Answer:
    return {"data": shelf().booking(booking_id)}


@v1.post("/bookings")
def book() -> Answer:
    return _booked()


@v1.patch("/bookings/<booking_id>")
def change_booking(booking_id: str) -> Answer:
    changes = read(BookingChanges)
    return {"data": shelf().change(booking_id, guests=changes.guests, status=changes.status)}


@v1.get("/analytics")
def analytics() -> Answer:
    return {"data": shelf().report()}


@widget.get("/experiences")
def widget_experiences() -> Answer:
    """All that a widget draws, in one answer."""
    found = shelf()
    return {
        "data": [
            {"id": one.id, "title": one.title, "price": one.price, "slots": found.slots(one.id)}
            for one in found.experiences.values()
        ]
    }


@widget.post("/bookings")
def widget_book() -> Answer:
    return _booked()


@widget.after_request
def allow_browsers(response: Response) -> Response:
    """Widgets run in pages of other origins (CORS).

    Any may ask: there are no cookies, and the domains that a key is bound to are keyturn's affair.
    """
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
    return response


def _booked() -> Answer:
    new = read(NewBooking)
    made: Booking = shelf().book(new.experience_id, new.starts_at, new.guests, new.name)
    return {"data": made}, 201, {"Location": url_for("v1.booking", booking_id=made.id)}
