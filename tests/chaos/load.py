"""A steady load: clients that ask for tokens in turn of each node, as through a careful proxy."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import select
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tests.chaos.cluster import NODES, PATIENCE, Cluster, Node
from tests.support.installation import Credentials
from tests.support.served import eventually

BODY = b"grant_type=client_credentials"
PAUSE = 0.03
"""Seconds between two requests of one client."""
MOST = 100_000
"""Requests after which a client falls silent, whatever happens."""


class Answer(NamedTuple):
    """What came of one request; ``status`` is 0 where the connection ended without an answer."""

    client_id: str
    node: int
    begun: float
    ended: float
    status: int
    token: str = ""
    jti: str = ""
    why: str = ""


class Asking(threading.Thread):
    """One client. Its connections are kept; a refused one makes it try the next node."""

    def __init__(self, client: Credentials, nodes: Sequence[Node], until: threading.Event) -> None:
        super().__init__(name=f"load-{client.client_id}", daemon=True)
        self.client = client
        self.answers: list[Answer] = []
        self.refused: Counter[int] = Counter()
        self._nodes = nodes
        self._until = until
        self._connections: dict[int, http.client.HTTPConnection] = {}

    def run(self) -> None:
        turn = itertools.cycle(range(len(self._nodes)))
        while not self._until.wait(PAUSE) and len(self.answers) < MOST:
            self.answers.append(self._ask(next(turn)))
        for connection in self._connections.values():
            connection.close()

    def _ask(self, first: int) -> Answer:
        begun = time.monotonic()
        number = first
        for offset in range(len(self._nodes)):
            number = (first + offset) % len(self._nodes)
            try:
                connection = self._connected(number)
            except ConnectionRefusedError:
                self.refused[number] += 1
                continue
            return self._answered(connection, number, begun)
        return self._note(number, begun, 0, why="refused by every node")

    def _connected(self, number: int) -> http.client.HTTPConnection:
        kept = self._connections.get(number)
        if kept is not None and kept.sock is not None:
            # As every proxy does: what the other side has closed is not used again.
            if not select.select([kept.sock], [], [], 0)[0]:
                return kept
            kept.close()
        made = http.client.HTTPConnection("127.0.0.1", self._nodes[number].port, timeout=20)
        made.connect()
        self._connections[number] = made
        return made

    def _answered(
        self, connection: http.client.HTTPConnection, number: int, begun: float
    ) -> Answer:
        user = base64.b64encode(":".join(self.client).encode()).decode()
        headers = {
            "Authorization": f"Basic {user}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        try:
            connection.request("POST", "/oauth/token", BODY, headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return self._note(number, begun, 0, why=repr(error))
        if response.status != 200:
            return self._note(number, begun, response.status, why=body.decode(errors="replace"))
        token = json.loads(body)["access_token"]
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return self._note(number, begun, 200, token=token, jti=claims["jti"])

    def _note(self, number: int, begun: float, status: int, **also: str) -> Answer:
        return Answer(self.client.client_id, number, begun, time.monotonic(), status, **also)


class Load:
    """All clients together, and what they were answered."""

    def __init__(self, cluster: Cluster, clients: Sequence[Credentials]) -> None:
        self._until = threading.Event()
        self.asking = [Asking(client, cluster.nodes, self._until) for client in clients]

    @property
    def answers(self) -> list[Answer]:
        return [answer for one in self.asking for answer in tuple(one.answers)]

    @property
    def received(self) -> list[str]:
        return [answer.jti for answer in self.answers if answer.jti]

    @property
    def tokens(self) -> list[str]:
        return [answer.token for answer in self.answers if answer.token]

    def failures(self) -> list[Answer]:
        """Everything but a token."""
        return [answer for answer in self.answers if answer.status != 200]

    def since(self, begun: float) -> list[Answer]:
        """The answers to what was asked later; each client's are in the order of time."""
        found = []
        for one in self.asking:
            for answer in reversed(tuple(one.answers)):
                if answer.begun <= begun:
                    break
                found.append(answer)
        return found

    def reaches_all(self, begun: float = 0, clients: int | None = None) -> None:
        """Wait until each client has had a token of each node that it asked for later."""
        expected = (clients or len(self.asking)) * NODES

        def is_reached() -> bool:
            served = {(one.client_id, one.node) for one in self.since(begun) if one.status == 200}
            return len(served) >= expected

        eventually(is_reached, timeout=PATIENCE, every=0.1)

    @contextmanager
    def running(self) -> Iterator[Load]:
        for one in self.asking:
            one.start()
        try:
            yield self
        finally:
            self._until.set()
            for one in self.asking:
                one.join(timeout=60)
