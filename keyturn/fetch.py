"""Ask the issuer from threads, and hold talks with it there.

The HTTP client is imported when something is asked, so that those who only read tokens do not load
it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from keyturn.asking import Body, asking, not_in_time, trusts_environment
from keyturn.errors import KeyturnError, VerifierUnavailable
from keyturn.forks import survives_forks
from keyturn.talks import MAX_ANSWER, Answer, Form, Pending, Question, Request, Talk, Token, Wanted

if TYPE_CHECKING:
    import httpx

DEFAULT_TIMEOUT = timedelta(seconds=5)

T = TypeVar("T")


class Fetch:
    """Asks over HTTP by the rules above, and holds talks; for threads, and after a fork as well.

    `timeout` bounds a whole exchange, also of a `client` of one's own (for a private CA, a proxy);
    its redirects are not followed. Where that one has a transport of another make than httpx's,
    each wait for header lines is bounded by itself, and the body as a whole.
    """

    def __init__(
        self, timeout: timedelta = DEFAULT_TIMEOUT, client: httpx.Client | None = None
    ) -> None:
        self.timeout = timeout.total_seconds()
        self._given = None if client is None else _keeping_deadlines(client)
        self._own: dict[tuple[int, bool], httpx.Client] = {}
        self.forked()
        survives_forks(self)

    def forked(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Future[Any]] = {}

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, limit: int = MAX_ANSWER
    ) -> Answer:
        """One GET of at most `limit` bytes. Raises FetchFailed."""
        return self.send(Request("GET", url, headers or {}, limit=limit))

    def post(self, url: str, form: Form, headers: Mapping[str, str]) -> Answer:
        """One POST of a form. Raises FetchFailed."""
        return self.send(Request("POST", url, headers, {"data": form}))

    def hold(self, talk: Talk[T]) -> T:
        """What comes of a talk. Raises what it raises."""
        try:
            wanted = next(talk)
            while True:
                try:
                    came = self._came_of(wanted)
                except KeyturnError as error:
                    wanted = talk.throw(error)
                else:
                    wanted = talk.send(came)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]
        finally:
            talk.close()

    def settle(self, question: Question[T]) -> T:
        """What comes of a question: asked by one thread, while the others with it wait.

        Raises what its talk raises, and VerifierUnavailable for who has no more patience.
        """
        with self._lock:
            under_way: Future[T] | None = self._flights.get(question.key)
            flight: Future[T] = under_way or self._flights.setdefault(question.key, Future())
        if under_way is None:
            return self._fly(question, flight)
        return _landed(flight, question.patience)

    def after(self, pending: Pending, decide: Callable[..., T], *seen: Any) -> T:
        """What is decided, once whatever is pending is settled: `decide(learnt, *seen)`."""
        learnt: dict[Hashable, Any] = {}
        while True:
            learnt[pending.question.key] = self.settle(pending.question)
            try:
                return decide(learnt, *seen)
            except Pending as another:
                pending = another

    def close(self) -> None:
        """Close the connections that were opened here."""
        with self._lock:
            clients, self._own = self._own, {}
        for client in clients.values():
            client.close()

    def _came_of(self, wanted: Wanted) -> Any:
        if isinstance(wanted, Request):
            return self.send(wanted)
        return wanted.source.token() if isinstance(wanted, Token) else self.settle(wanted)

    def _fly(self, question: Question[T], flight: Future[T]) -> T:
        try:
            outcome = self.hold(question.talk())
        except BaseException as error:
            self._end(question.key)
            flight.set_exception(error)
            raise
        self._end(question.key)
        flight.set_result(outcome)
        return outcome

    def _end(self, key: Hashable) -> None:
        with self._lock:
            del self._flights[key]

    def send(self, request: Request) -> Answer:
        """One exchange. Raises FetchFailed."""
        import httpx

        from keyturn.deadlines import within

        with asking(request) as headers, within(self.timeout):
            deadline = time.monotonic() + self.timeout
            try:
                with self._client(request.url).stream(
                    request.method,
                    request.url,
                    headers=headers,
                    timeout=self.timeout,
                    follow_redirects=False,
                    **request.body,
                ) as response:
                    body = Body(request, response)
                    # As it arrives: chunks of a given size would be waited for.
                    for chunk in response.iter_raw():
                        body.add(chunk)
                        # A transport that was given may know of no deadline but that of one read.
                        if time.monotonic() > deadline:
                            raise not_in_time(request, self.timeout)
                    return body.answer()
            except httpx.TimeoutException:
                raise not_in_time(request, self.timeout) from None

    def _client(self, url: str) -> httpx.Client:
        from keyturn import deadlines

        if self._given is not None:
            return self._given
        # Connections do not survive a fork; proxies of the environment are not for this machine.
        place = (os.getpid(), trusts_environment(url))
        with self._lock:
            if place not in self._own:
                self._own[place] = deadlines.client(trust_env=place[1])
            return self._own[place]


def _keeping_deadlines(client: httpx.Client) -> httpx.Client:
    from keyturn.deadlines import bounded

    return bounded(client)


def _landed(flight: Future[T], patience: float | None) -> T:
    try:
        return flight.result(patience)
    except KeyturnError as error:
        # Its own copy: a traceback is not to be shared between threads.
        raise copy(error) from None
    except FutureTimeout:
        raise VerifierUnavailable(detail="no answer in time to what another asked") from None
