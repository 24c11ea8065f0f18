"""Ask the issuer from asyncio tasks, and hold talks with it there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from keyturn.asking import Body, asking, not_in_time, trusts_environment
from keyturn.errors import KeyturnError, VerifierUnavailable
from keyturn.fetch import DEFAULT_TIMEOUT
from keyturn.loops import PerLoop
from keyturn.talks import Answer, Pending, Question, Request, Talk, Token, Wanted

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class _Here:
    """What one loop has: connections, and questions under way."""

    def __init__(self) -> None:
        self.clients: dict[bool, httpx.AsyncClient] = {}
        self.flights: dict[Hashable, asyncio.Task[Any]] = {}


class AsyncFetch:
    """As `Fetch`, for any number of event loops: each has its own connections and questions.

    A `client` of one's own belongs to the one loop it is used in.
    """

    def __init__(
        self, timeout: timedelta = DEFAULT_TIMEOUT, client: httpx.AsyncClient | None = None
    ) -> None:
        self.timeout = timeout.total_seconds()
        self._given = client
        self._loops = PerLoop(_Here)

    async def hold(self, talk: Talk[T]) -> T:
        """What comes of a talk. Raises what it raises."""
        try:
            wanted = next(talk)
            while True:
                try:
                    came = await self._came_of(wanted)
                except KeyturnError as error:
                    wanted = talk.throw(error)
                else:
                    wanted = talk.send(came)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]
        finally:
            talk.close()

    async def settle(self, question: Question[T]) -> T:
        """What comes of a question: asked once, by a task that nobody's giving up ends.

        Raises what its talk raises, and VerifierUnavailable for who has no more patience.
        """
        flights, key = self._loops.here().flights, question.key
        flight, patience = flights.get(key), question.patience
        if flight is None:
            patience = None
            flight = flights[key] = asyncio.create_task(self.hold(question.talk()))
            flight.add_done_callback(lambda ended: _end(flights, key, ended))
        done, _ = await asyncio.wait([flight], timeout=patience)
        if not done:
            raise VerifierUnavailable(detail="no answer in time to what another asked")
        if flight.cancelled():
            raise VerifierUnavailable(detail="closed meanwhile")
        try:
            return flight.result()  # type: ignore[no-any-return]
        except KeyturnError as error:
            raise copy(error) from None

    async def after(self, pending: Pending, decide: Callable[..., T], *seen: Any) -> T:
        """What is decided, once whatever is pending is settled: `decide(learnt, *seen)`."""
        learnt: dict[Hashable, Any] = {}
        while True:
            learnt[pending.question.key] = await self.settle(pending.question)
            try:
                return decide(learnt, *seen)
            except Pending as another:
                pending = another

    async def close(self) -> None:
        """Close the connections that were opened in this loop, and end its questions."""
        here = self._loops.pop()
        if here is not None:
            under_way = list(here.flights.values())
            for flight in under_way:
                flight.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            for client in here.clients.values():
                await client.aclose()

    async def send(self, request: Request) -> Answer:
        """One exchange. Raises FetchFailed."""
        with asking(request) as headers:
            try:
                async with (
                    asyncio.timeout(self.timeout),
                    self._client(request.url).stream(
                        request.method,
                        request.url,
                        headers=headers,
                        timeout=self.timeout,
                        follow_redirects=False,
                        **request.body,
                    ) as response,
                ):
                    body = Body(request, response)
                    async for chunk in response.aiter_raw():
                        body.add(chunk)
                    return body.answer()
            except TimeoutError:
                raise not_in_time(request, self.timeout) from None

    async def _came_of(self, wanted: Wanted) -> Any:
        if isinstance(wanted, Request):
            return await self.send(wanted)
        if isinstance(wanted, Token):
            return await wanted.source.token_async()
        return await self.settle(wanted)

    def _client(self, url: str) -> httpx.AsyncClient:
        import httpx

        if self._given is not None:
            return self._given
        clients, trust_env = self._loops.here().clients, trusts_environment(url)
        if trust_env not in clients:
            clients[trust_env] = httpx.AsyncClient(trust_env=trust_env)
        return clients[trust_env]


def _end(
    flights: dict[Hashable, asyncio.Task[Any]], key: Hashable, ended: asyncio.Task[Any]
) -> None:
    del flights[key]
    if not ended.cancelled():
        ended.exception()  # looked at, even where all who waited have gone
