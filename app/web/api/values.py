"""What the management API takes and gives: the kinds of its fields, each with its limit.

Forms are checked here, rules in the use cases. A body is strict: an unknown field, or a string
where a number is due, is refused and named.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.admin.acting import MAX_ORGANIZATIONS
from app.admin.changes import UNSET
from app.admin.fields import MAX_DESCRIPTION, MAX_IDENTIFIER, MAX_NAME
from app.admin.pages import DEFAULT_LIMIT, MAX_LIMIT
from app.admin.rate_limits import MAX_LIMITS as MAX_RATES
from keyturn.limits.values import MAX_AMOUNT
from keyturn.scope import MAX_SCOPE_TOKENS, MAX_TOKEN_LENGTH

MAX_ID = 64
MAX_SECONDS = 100 * 366 * 86400
MAX_CURSOR = 1024

_ID = r"^[A-Za-z0-9_-]{1,64}$"
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_DIGITS = re.compile(r"[0-9]{1,9}")


def _instant(value: object) -> object:
    """RFC 3339 with a time zone, nothing else: no bare dates, no local times, no numbers."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("instant", "Must be an RFC 3339 time with its time zone")


def _written(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def number(value: object) -> object:
    """Digits of a URL; int() would take blanks, underscores and other scripts' digits as well."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, int):
        return value
    raise PydanticCustomError("number", "Must be a whole number")


def _flag(value: object) -> object:
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, bool):
        return value
    raise PydanticCustomError("flag", "Must be true or false")


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    PlainSerializer(_written, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Description = Annotated[str, Field(max_length=MAX_DESCRIPTION)]
Id = Annotated[str, Field(pattern=_ID)]
PathId = Annotated[str, WithJsonSchema({"type": "string", "pattern": _ID})]
"""An id as a part of the path: another form is no error in a field but an object nobody has."""
PresetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Environment = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
Searched = Annotated[
    str | None,
    Field(min_length=1, max_length=100, description="How the name begins, or the whole id."),
]
Choice = Annotated[str, Field(min_length=1, max_length=64)]
"""One of a few words; which, the use case says."""
ScopeToken = Annotated[str, Field(min_length=1, max_length=MAX_TOKEN_LENGTH)]
Scopes = Annotated[list[ScopeToken], Field(max_length=MAX_SCOPE_TOKENS)]
Identifier = Annotated[str, Field(min_length=1, max_length=MAX_IDENTIFIER)]
Seconds = Annotated[int, Field(ge=0, le=MAX_SECONDS)]
ActingList = Annotated[list[Id], Field(max_length=MAX_ORGANIZATIONS)]
Flag = Annotated[bool, BeforeValidator(_flag)]


def unnamed() -> Any:
    """The default of a field of a PATCH: not named, which is not the same as null."""
    return Field(default_factory=lambda: UNSET)


def example(*, required: bool = True, **fields: Any) -> ConfigDict:
    """A body that the description shows, and that the try-it page sends as it stands."""
    extra = {"required": required, "example": fields}
    return cast("ConfigDict", {"openapi_extra": extra})


class Body(BaseModel):
    """A JSON object that was sent."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _is_there(cls, value: Any) -> Any:
        if value is None:
            raise PydanticCustomError("missing_body", "A JSON object is required as body")
        return value

    def named(self) -> dict[str, Any]:
        """The fields that were named, by their names in the use cases."""
        return {
            name: _plain(getattr(self, name))
            for name in type(self).model_fields
            if name in self.model_fields_set
        }


class OptionalBody(Body):
    """The same, where nothing need be said."""

    model_config = example(required=False)

    @model_validator(mode="before")
    @classmethod
    def _is_there(cls, value: Any) -> Any:
        return {} if value is None else value


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_unset=True)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


class Query(BaseModel):
    """The parameters behind the ``?``; none but these."""

    model_config = ConfigDict(extra="forbid")


class OfOrganization(Query):
    """The organization that is acted upon."""

    organization_id: Id | None = Field(
        None, description="Another organization than one's own: for the operator's credentials."
    )


class Listing(Query):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(number)] = DEFAULT_LIMIT
    cursor: Annotated[str, Field(max_length=MAX_CURSOR)] | None = Field(
        None, description="`next_cursor` of the page before."
    )


class OrganizationListing(Listing, OfOrganization):
    """Which part of an organization's list."""


class Answer(BaseModel):
    """A JSON object that is sent; only the fields named here leave the house."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)


T = TypeVar("T", bound=Answer)


class PageOf(Answer, Generic[T]):
    """A page of a list; ``next_cursor`` is null on the last one."""

    data: list[T]
    next_cursor: str | None


class RateLimit(Body):
    """So many requests in a window, for one class of routes or for all."""

    limit: Annotated[int, Field(ge=1, le=MAX_AMOUNT)]
    window: Choice
    route_class: Annotated[str, Field(max_length=32)] | None = Field(None, alias="class")


RateLimits = Annotated[list[RateLimit], Field(max_length=MAX_RATES)]


class ShownRateLimit(Answer):
    """A rate limit as it is kept."""

    limit: int
    window: str
    route_class: str | None = Field(None, alias="class")


class ErrorDetail(Answer):
    """What is wrong with one field."""

    field: str
    message: str


class ErrorReason(Answer):
    """One of a closed set of codes, and a sentence for people."""

    code: str
    message: str
    request_id: str
    details: list[ErrorDetail] | None = None


class Error(Answer):
    """The body of every refusal."""

    error: ErrorReason
