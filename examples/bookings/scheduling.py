"""A second product on the same library: event types that anybody may book by a public page.

Who books gets links to cancel and to reschedule, each with a token for that and nothing else. The
same path is public for one method and guarded for another: it all stands in `POLICY`.

granian --interface wsgi --factory examples.bookings.scheduling:create_app
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Annotated, Any

from flask import Blueprint, Flask, current_app, request
from pydantic import Field

from examples.bookings import app, routes
from examples.bookings.bodies import Body, Id, Instant, read
from examples.bookings.store import CANCELLED, CONFIRMED, Conflict, Missing
from keyturn import AUTHENTICATED, PUBLIC, LinkTokens, RoutePolicy, all_of
from keyturn.flask import current_principal

Answer = dict[str, Any] | tuple[Any, int]
Place = tuple[str | None, str | None]
"""Organization and environment; what lies in another place does not exist for a credential."""

SANDBOX = "test"
LINKS_LAST = timedelta(days=30)
READ, WRITE = all_of("availability:read"), all_of("availability:write")

POLICY = RoutePolicy(
    {
        "GET /health": PUBLIC,
        "GET /v1/availability": PUBLIC,
        "GET /v1/event-types": READ,
        "POST /v1/event-types": WRITE,
        "GET /v1/event-types/{id}": PUBLIC,
        "PATCH /v1/event-types/{id}": WRITE,
        "DELETE /v1/event-types/{id}": WRITE,
        "GET /v1/event-types/{id}/availability": READ,
        "PUT /v1/event-types/{id}/availability": WRITE,
        "GET /v1/event-types/{id}/hosts": READ,
        "POST /v1/event-types/{id}/hosts": WRITE,
        "DELETE /v1/event-types/{id}/hosts/{name}": WRITE,
        "POST /v1/bookings": PUBLIC,
        "POST /v1/bookings/{id}/cancel": PUBLIC,
        "POST /v1/bookings/{id}/reschedule": PUBLIC,
        "GET /v1/bookings": all_of("bookings:read"),
        "GET /v1/bookings/{id}": all_of("bookings:read"),
        "GET /v1/calendars": AUTHENTICATED,
        "DELETE /v1/calendars/{name}": WRITE,
    }
)

v1 = Blueprint("scheduling", __name__, url_prefix="/v1")


@dataclass(frozen=True, slots=True)
class EventType:
    id: str
    title: str
    active: bool = True
    times: tuple[datetime, ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Booking:
    id: str
    event_type_id: str
    starts_at: datetime
    name: str
    status: str = CONFIRMED


@dataclass
class Office:
    """Everything, by id, each with the place that it lies in."""

    links: LinkTokens
    event_types: dict[str, tuple[Place, EventType]] = field(default_factory=dict)
    bookings: dict[str, tuple[Place, Booking]] = field(default_factory=dict)
    calendars: dict[str, tuple[Place, str]] = field(default_factory=dict)
    taking: Lock = field(default_factory=Lock)
    """Held while a time is found free and taken, or two guests have it."""


def create_app(settings: app.Settings | None = None) -> Flask:
    made = app.create_app(settings, (routes.health, v1), POLICY)
    # Of this process: links end with it. Keep a secret of your own to have them outlive it.
    made.extensions["bookings.office"] = Office(LinkTokens(secrets.token_bytes(32)))
    return made


class NewEventType(Body):
    title: Annotated[str, Field(min_length=1, max_length=100)]
    active: bool = True


class EventTypeChanges(Body):
    active: bool


class Times(Body):
    times: Annotated[list[Instant], Field(max_length=100)]


class Host(Body):
    name: Annotated[str, Field(pattern=r"^[a-z]{1,40}$")]


class NewBooking(Body):
    event_type_id: Id
    starts_at: Instant
    name: Annotated[str, Field(min_length=1, max_length=100)]


class NewTime(Body):
    starts_at: Instant


# For anybody -------------------------------------------------------------------------------------


@v1.get("/event-types/<id>")
def event_type(id: str) -> Answer:
    return {"data": public(id)[1]}


@v1.get("/availability")
def availability() -> Answer:
    return {"data": free(public(request.args.get("event_type_id", ""))[1])}


@v1.post("/bookings")
def book() -> Answer:
    new = read(NewBooking)
    place, kind = public(new.event_type_id)
    made = Booking(f"bk_{secrets.token_hex(6)}", kind.id, new.starts_at, new.name)
    with office().taking:
        require_free(kind, new.starts_at)
        office().bookings[made.id] = place, made
    ends = datetime.now(UTC) + LINKS_LAST
    acts = ("cancel", "reschedule")
    links = {
        act: f"/v1/bookings/{made.id}/{act}?token={office().links.make(act, made.id, ends)}"
        for act in acts
    }
    return {"data": made, "links": links}, 201


@v1.post("/bookings/<id>/cancel")
def cancel(id: str) -> Answer:
    place, booking = linked("cancel", id)
    return changed(place, replace(booking, status=CANCELLED))


@v1.post("/bookings/<id>/reschedule")
def reschedule(id: str) -> Answer:
    place, booking = linked("reschedule", id)
    starts_at = read(NewTime).starts_at
    with office().taking:
        require_free(office().event_types[booking.event_type_id][1], starts_at)
        return changed(place, replace(booking, starts_at=starts_at))


# For credentials ---------------------------------------------------------------------------------


@v1.get("/event-types")
def event_types() -> Answer:
    return {"data": of_place(office().event_types)}


@v1.post("/event-types")
def new_event_type() -> Answer:
    new = read(NewEventType)
    return kept(EventType(f"evt_{secrets.token_hex(6)}", new.title, new.active)), 201


@v1.patch("/event-types/<id>")
def change_event_type(id: str) -> Answer:
    return kept(replace(own(office().event_types, id), active=read(EventTypeChanges).active))


@v1.delete("/event-types/<id>")
def delete_event_type(id: str) -> Answer:
    own(office().event_types, id)
    del office().event_types[id]
    return "", 204


@v1.get("/event-types/<id>/availability")
def times(id: str) -> Answer:
    return {"data": own(office().event_types, id).times}


@v1.put("/event-types/<id>/availability")
def set_times(id: str) -> Answer:
    return kept(replace(own(office().event_types, id), times=tuple(read(Times).times)))


@v1.get("/event-types/<id>/hosts")
def hosts(id: str) -> Answer:
    return {"data": own(office().event_types, id).hosts}


@v1.post("/event-types/<id>/hosts")
def new_host(id: str) -> Answer:
    kind = own(office().event_types, id)
    return kept(replace(kind, hosts=(*kind.hosts, read(Host).name))), 201


@v1.delete("/event-types/<id>/hosts/<name>")
def delete_host(id: str, name: str) -> Answer:
    kind = own(office().event_types, id)
    kept(replace(kind, hosts=tuple(one for one in kind.hosts if one != name)))
    return "", 204


@v1.get("/bookings")
def bookings() -> Answer:
    return {"data": of_place(office().bookings)}


@v1.get("/bookings/<id>")
def booking(id: str) -> Answer:
    return {"data": own(office().bookings, id)}


@v1.get("/calendars")
def calendars() -> Answer:
    return {"data": of_place(office().calendars)}


@v1.delete("/calendars/<name>")
def delete_calendar(name: str) -> Answer:
    own(office().calendars, name)
    del office().calendars[name]
    return "", 204


# What lies where ---------------------------------------------------------------------------------


def office() -> Office:
    found: Office = current_app.extensions["bookings.office"]
    return found


def here() -> Place:
    return current_principal.organization, current_principal.environment


def of_place(things: dict[str, tuple[Place, Any]]) -> list[Any]:
    return [thing for place, thing in things.values() if place == here()]


def own(things: dict[str, tuple[Place, Any]], id: str) -> Any:
    place, thing = things.get(id, (None, None))
    if place != here():
        raise Missing("No such thing")
    return thing


def public(id: str) -> tuple[Place, EventType]:
    """An event type for anybody: only active, and of no sandbox."""
    place, kind = office().event_types.get(id, (None, None))
    if place is None or kind is None or not kind.active or place[1] == SANDBOX:
        raise Missing("No such event type")
    return place, kind


def linked(act: str, id: str) -> tuple[Place, Booking]:
    """A booking, for whoever has the link to this act; whether there is one, nobody else learns."""
    office().links.check(request.args.get("token"), act, id)
    return office().bookings[id]


def free(kind: EventType) -> list[datetime]:
    confirmed = [one for _, one in office().bookings.values() if one.status == CONFIRMED]
    taken = {one.starts_at for one in confirmed if one.event_type_id == kind.id}
    return [one for one in kind.times if one not in taken]


def require_free(kind: EventType, starts_at: datetime) -> None:
    if starts_at not in free(kind):
        raise Conflict("That time is not free")


def kept(kind: EventType) -> dict[str, Any]:
    office().event_types[kind.id] = here(), kind
    return {"data": kind}


def changed(place: Place, booking: Booking) -> Answer:
    office().bookings[booking.id] = place, booking
    return {"data": booking}
