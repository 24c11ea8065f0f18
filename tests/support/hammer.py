"""Token requests without a pause, and whether each that was answered has its event."""

import threading
from collections import Counter
from contextlib import contextmanager

import httpx

from tests.support.served import eventually
from tests.support.tokens import unverified

GRANT = {"grant_type": "client_credentials"}


def events(installation, type="token.issued"):
    return installation.rows(
        "SELECT id, target_id, actor_id, details FROM audit_events WHERE type = :type", type=type
    )


@contextmanager
def hammered(server, client, threads=4):
    """Token requests without end; yields the ids of the tokens that really arrived."""
    arrived = [[] for _ in range(threads)]
    ended = threading.Event()

    def run(mine):
        with httpx.Client(base_url=server.url, timeout=10) as http:
            while not ended.is_set():
                try:
                    response = http.post("/oauth/token", data=GRANT, auth=client)
                except httpx.TransportError:
                    if server.process.poll() is not None:
                        return
                    continue
                if response.status_code == 200:
                    mine.append(unverified(response.json()["access_token"])["jti"])

    running = [threading.Thread(target=run, args=(mine,)) for mine in arrived]
    for thread in running:
        thread.start()
    try:
        yield lambda: [jti for mine in arrived for jti in mine]
    finally:
        ended.set()
        for thread in running:
            thread.join(timeout=30)


def assert_each_has_one_event(installation, received):
    """Also of tokens that never arrived there is one event, and never two."""
    assert len(received) == len(set(received))

    def found():
        return Counter(row.target_id for row in events(installation))

    eventually(lambda: set(received) <= set(found()), timeout=30)
    assert set(found().values()) == {1}
