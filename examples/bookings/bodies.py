"""What callers send, read once: every field known, typed and bounded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

from flask import request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator


def _in_utc(instant: datetime) -> datetime:
    if not 2000 <= instant.year <= 2100:
        raise ValueError("a time between 2000 and 2100")
    return instant.astimezone(UTC)


Id = Annotated[str, Field(min_length=1, max_length=64)]
Guests = Annotated[int, Field(ge=1, le=20)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewBooking(Body):
    experience_id: Id
    starts_at: Instant
    guests: Guests
    name: Annotated[str, Field(min_length=1, max_length=100)]


class BookingChanges(Body):
    guests: Guests | None = None
    status: Literal["confirmed", "cancelled"] | None = None

    @model_validator(mode="after")
    def says_something(self) -> BookingChanges:
        if not self.model_fields_set:
            raise ValueError("name something to change")
        return self


class Capacity(Body):
    experience_id: Id
    starts_at: Instant
    capacity: Annotated[int, Field(ge=0, le=1000)]


B = TypeVar("B", bound=Body)


def read(body: type[B]) -> B:
    """The request's JSON. Raises pydantic's ValidationError."""
    return body.model_validate_json(request.get_data())
