"""Uses that leave no event, and single requests of the usage log: kept in memory, and written down
once a second.

Requests pay one ``append`` for each. What a process has not written when it dies is lost: a second
of counts, never a limit or an event.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from datetime import datetime
from typing import Any

from app.background import Turns
from app.errors import Conflict, Unavailable
from app.records import SUCCESS, RequestRecord
from app.storage import request_records, usage
from app.storage.shipping import LANE
from app.storage.store import Store
from app.storage.uses import Use, hour_of
from keyturn.networks import coarse_network

log = logging.getLogger(__name__)

MOST = 100_000
"""Kinds that wait while the database is away; of more, nothing is remembered."""
MOST_RECORDS = 10_000
"""Single requests that wait; of more, none is kept."""


class UsesInMemory:
    """What requests of this process did; written down in the background."""

    def __init__(self, store: Store, interval: float = 1.0) -> None:
        self._store = store
        self._turns = Turns("uses", self.write, interval)
        self._noted: deque[tuple[Any, ...]] = deque()
        self._waiting: dict[Use, tuple[int, datetime]] = {}
        self._requests: deque[RequestRecord] = deque()
        self._writing = threading.Lock()

    def note(
        self,
        credential_type: str,
        credential_id: str,
        organization_id: str,
        route_class: str,
        *,
        outcome: str = SUCCESS,
        ip: str | None = None,
        secret_id: str | None = None,
        exercised: str = "",
    ) -> None:
        """Somebody used a credential; ``ip`` where it came from its holder."""
        self._noted.append(  # atomic; and nothing else that another thread may touch
            (credential_type, credential_id, organization_id, route_class, outcome, ip, secret_id,
             exercised)
        )  # fmt: skip

    def keep(self, request: RequestRecord) -> None:
        """Somebody's request, for the usage log."""
        if len(self._requests) < MOST_RECORDS:
            self._requests.append(request)

    def start(self) -> None:
        self._turns.start()

    def stop(self) -> None:
        """Write what is left, if the database lets us, and end."""
        self._turns.stop(patience=10)
        self.write()

    def write(self) -> None:
        """Write down what was noted; what cannot be written now waits for the next time."""
        with self._writing:
            self._add_up(self._store.clock())
            requests = list(self._requests)  # what comes meanwhile stands behind them
            if not self._waiting and not requests:
                return
            try:
                with self._store.begin() as connection:
                    usage.hold(connection, self._waiting, LANE)
                    usage.add(connection, self._waiting, LANE)
                    request_records.add(connection, requests)
            except (Conflict, Unavailable) as error:
                log.warning("uses wait: %s", error.detail)
                return
            except Exception:
                # What a bug of ours keeps from being written would keep all after it waiting.
                log.exception("uses are lost")
            self._waiting = {}
            for _ in requests:
                self._requests.popleft()

    def _add_up(self, now: datetime) -> None:
        hour, waiting = hour_of(now), self._waiting
        kinds: dict[tuple[Any, ...], int] = {}
        for _ in range(len(self._noted)):
            # Taken away by us alone, under the lock; what comes meanwhile waits.
            kind = self._noted.popleft()
            kinds[kind] = kinds.get(kind, 0) + 1
        for kind, count in kinds.items():
            type, id, organization_id, route_class, outcome, ip, secret_id, exercised = kind
            use = Use(
                credential_type=type,
                credential_id=id,
                organization_id=organization_id,
                hour=hour,
                route_class=route_class,
                outcome=outcome,
                network=coarse_network(ip),
                secret_id=secret_id,
                exercised=exercised,
            )
            if use in waiting or len(waiting) < MOST:
                waiting[use] = (waiting.get(use, (0, now))[0] + count, now)
