"""The bookings of every organization, live and sandbox apart; in memory, gone when it stops.

Nothing here knows about credentials. Which shelf a request may touch follows from its principal,
in `guard.py`; what is on another shelf does not exist for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import TypeVar

T = TypeVar("T")

CONFIRMED = "confirmed"
CANCELLED = "cancelled"


class Missing(LookupError):
    """There is no such thing on this shelf."""


class Conflict(Exception):
    """It cannot be done as things stand; says why."""


@dataclass(frozen=True, slots=True)
class Property:
    id: str
    name: str
    timezone: str
    currency: str


@dataclass(frozen=True, slots=True)
class Experience:
    id: str
    property_id: str
    title: str
    description: str
    photos: tuple[str, ...]
    price: int
    """For one guest, in hundredths of the property's currency."""
    duration_minutes: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A time at which an experience takes place."""

    experience_id: str
    starts_at: datetime
    capacity: int
    free: int


@dataclass(frozen=True, slots=True)
class Booking:
    id: str
    experience_id: str
    starts_at: datetime
    guests: int
    name: str
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    bookings: int
    guests: int
    revenue: int
    cancelled: int


class Shelf:
    """What one organization has in one environment."""

    def __init__(
        self,
        properties: list[Property],
        experiences: list[Experience],
        capacities: dict[tuple[str, datetime], int],
        now: Callable[[], datetime],
    ) -> None:
        self.properties = {one.id: one for one in properties}
        self.experiences = {one.id: one for one in experiences}
        self.bookings: dict[str, Booking] = {}
        self._capacities = capacities
        self._now = now
        # Seats are counted and taken in one go, or two guests sit on one.
        self._lock = RLock()

    def property(self, property_id: str) -> Property:
        return _found(self.properties, property_id, "property")

    def experience(self, experience_id: str) -> Experience:
        return _found(self.experiences, experience_id, "experience")

    def booking(self, booking_id: str) -> Booking:
        return _found(self.bookings, booking_id, "booking")

    def slots(self, experience_id: str | None = None) -> list[Slot]:
        """When something takes place, and how many may still come."""
        with self._lock:
            return [
                Slot(*place, capacity, capacity - self._taken(place))
                for place, capacity in sorted(self._capacities.items())
                if experience_id in (None, place[0])
            ]

    def set_capacity(self, experience_id: str, starts_at: datetime, capacity: int) -> Slot:
        """Open a slot, or change how many it holds; never to less than are coming."""
        place = (self.experience(experience_id).id, starts_at)
        with self._lock:
            taken = self._taken(place)
            if capacity < taken:
                raise Conflict(f"{taken} guests are booked already")
            self._capacities[place] = capacity
            return Slot(*place, capacity, capacity - taken)

    def book(self, experience_id: str, starts_at: datetime, guests: int, name: str) -> Booking:
        place = (self.experience(experience_id).id, starts_at)
        with self._lock:
            self._require_room(place, guests)
            booking = Booking(
                f"bk_{secrets.token_hex(6)}", *place, guests, name, CONFIRMED, self._now()
            )
            self.bookings[booking.id] = booking
            return booking

    def change(
        self, booking_id: str, *, guests: int | None = None, status: str | None = None
    ) -> Booking:
        with self._lock:
            before = self.booking(booking_id)
            after = replace(before, guests=guests or before.guests, status=status or before.status)
            if after.status == CONFIRMED:
                place = (after.experience_id, after.starts_at)
                held = before.guests if before.status == CONFIRMED else 0
                self._require_room(place, after.guests - held)
            self.bookings[booking_id] = after
            return after

    def report(self) -> Report:
        with self._lock:
            bookings = list(self.bookings.values())
        confirmed = [one for one in bookings if one.status == CONFIRMED]
        price = {one.id: one.price for one in self.experiences.values()}
        return Report(
            bookings=len(confirmed),
            guests=sum(one.guests for one in confirmed),
            revenue=sum(one.guests * price[one.experience_id] for one in confirmed),
            cancelled=len(bookings) - len(confirmed),
        )

    def _require_room(self, place: tuple[str, datetime], guests: int) -> None:
        if place not in self._capacities:
            raise Conflict("Nothing takes place at that time")
        if guests > self._capacities[place] - self._taken(place):
            raise Conflict("Not enough places are free")

    def _taken(self, place: tuple[str, datetime]) -> int:
        return sum(
            one.guests
            for one in self.bookings.values()
            if (one.experience_id, one.starts_at) == place and one.status == CONFIRMED
        )


class Store:
    """A shelf for every organization and environment. Whoever comes first finds sample data."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._lock = RLock()
        self._shelves: dict[tuple[str, str], Shelf] = {}

    def shelf(self, organization: str, environment: str) -> Shelf:
        with self._lock:
            place = (organization, environment)
            if place not in self._shelves:
                self._shelves[place] = sample(environment, self._now)
            return self._shelves[place]


def sample(environment: str, now: Callable[[], datetime]) -> Shelf:
    """Two experiences in a harbour, on the next three mornings; a sandbox says that it is one."""
    titles = ("Kayaks at dawn", "Fish market walk")
    if environment not in ("live", "production"):
        titles = ("Sandbox kayaks", "Sandbox walk")
    harbour = Property(f"prop_{environment}_harbour", "Harbour", "Europe/Lisbon", "EUR")
    kayak = Experience(
        id=f"exp_{environment}_kayak",
        property_id=harbour.id,
        title=titles[0],
        description="Along the old quay before the ferries wake.",
        photos=("https://images.example.com/kayak.jpg",),
        price=4500,
        duration_minutes=120,
    )
    walk = Experience(
        id=f"exp_{environment}_walk",
        property_id=harbour.id,
        title=titles[1],
        description="Six stalls, one breakfast.",
        photos=("https://images.example.com/market.jpg",),
        price=2900,
        duration_minutes=90,
    )
    today = now().replace(hour=0, minute=0, second=0, microsecond=0)
    capacities = {
        (experience.id, today + timedelta(days=day, hours=hour)): capacity
        for experience, hour, capacity in ((kayak, 6, 8), (walk, 9, 12))
        for day in (1, 2, 3)
    }
    return Shelf([harbour], [kayak, walk], capacities, now)


def _found(things: dict[str, T], identifier: str, kind: str) -> T:
    try:
        return things[identifier]
    except KeyError:
        raise Missing(f"No such {kind}") from None
