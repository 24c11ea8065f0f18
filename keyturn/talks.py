"""Talks with the issuer, whoever holds them: threads by `keyturn.fetch`, tasks by
`keyturn.async_fetch`.

Rules decide by what is at hand, and never wait. Where that is not enough they raise `Pending`; the
question in it is settled, once for all who have it at the same time, and the rule decides again.
So there is one implementation of every rule, and of every talk: a talk is a generator that yields
what it wants, and is sent what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")

MAX_ANSWER = 256 * 1024
"""Bytes of an answer that are read, unless said otherwise."""

Form = Mapping[str, str | list[str]]
"""Parameters by name; a list is a parameter that is repeated."""


@dataclass(frozen=True, slots=True)
class Request:
    """One exchange over HTTP; comes to an `Answer`, or raises FetchFailed."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """`{"data": form}` or `{"json": object}`, as httpx has it."""
    limit: int = MAX_ANSWER
    takes_gzip: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str]


class Tokens(Protocol):
    """`keyturn.client.TokenSource`, as far as talks know it."""

    def token(self) -> str: ...

    async def token_async(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Token:
    """Comes to a token of this source, or raises TokenError."""

    source: Tokens


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """A talk that is held once for all who want it while it goes on.

    `patience`: seconds that those wait who do not hold it themselves; None: until it is over.
    """

    key: Hashable
    talk: Callable[[], Talk[T]]
    patience: float | None = None


Wanted = Request | Token | Question[Any]
Talk = Generator[Wanted, Any, T]
Learnt = Mapping[Hashable, Any]
"""What came of the questions that one decision had, by their keys."""
NOTHING: Learnt = {}


class Pending(Exception):
    """What is at hand does not decide it: settle this question, and decide again."""

    def __init__(self, question: Question[Any]) -> None:
        super().__init__(question.key)
        self.question = question


def decided(decide: Callable[[], T]) -> Talk[T]:
    """What a rule decides, where that is part of a talk."""
    while True:
        try:
            return decide()
        except Pending as pending:
            yield pending.question


def known(value: T) -> Talk[T]:
    """A talk in which nothing is asked."""
    yield from ()
    return value
