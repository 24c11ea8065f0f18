"""A PostgreSQL that is there and answers nothing: stopped, not gone.

Nothing closes a connection to it and its own timeouts do not run, so whoever waits for it must
end the wait. That a request does not wait for ever is that it is answered at all: the tests'
client gives up after twenty seconds.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import Unavailable
from tests.support.installation import installed
from tests.support.served import eventually, serving

TIMEOUT = "2"


@pytest.fixture
def frozen_soon(tmp_path, postgres_server):
    with installed(
        tmp_path / "frozen", postgres_server.create(), KEYTURN_DATABASE_TIMEOUT=TIMEOUT
    ) as installation:
        yield installation


def test_every_call_is_refused_in_time_and_works_again(frozen_soon, postgres_server):
    key = frozen_soon.api_key(["keyturn:*"]).key
    bearer = {"Authorization": f"Bearer {key}"}
    known, unknown = frozen_soon.client(), frozen_soon.client()
    with serving(frozen_soon, threads=16) as server:
        calls = [
            lambda: server.get("/v1/clients", headers=bearer),
            lambda: server.post("/v1/scopes", headers=bearer, json={"name": "new:scope"}),
            lambda: server.ask(unknown),
        ]
        assert server.token(known)
        assert server.get("/v1/clients", headers=bearer).status_code == 200
        with postgres_server.frozen():
            # More at once than there are connections in the pool, and again when those are gone.
            with ThreadPoolExecutor(12) as pool:
                for _ in range(2):
                    answers = list(pool.map(lambda call: call(), calls * 4))
                    assert {answer.status_code for answer in answers} == {503}
                    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
            assert server.ask(known).status_code == 200
        eventually(lambda: server.ask(unknown).status_code == 200, timeout=20)
        assert server.get("/v1/clients", headers=bearer).status_code == 200
        # One that was given up may have been carried out: it had been sent.
        made = server.post("/v1/scopes", headers=bearer, json={"name": "new:scope"})
        assert made.status_code in (201, 409)


def test_nobody_queues_behind_the_first_who_asks(frozen_soon, another_node, postgres_server):
    """A process that has never read the feed, and all of its threads at once."""
    node = another_node(frozen_soon)

    def refused(number):
        with pytest.raises(Unavailable) as refusal:
            node.directory.client(f"client_{number}")
        return refusal.value

    with postgres_server.frozen(), ThreadPoolExecutor(8) as pool:
        details = [refusal.detail for refusal in pool.map(refused, range(8))]
    assert len(details) == 8
    assert "database: the change feed is being waited for" in details
    assert node.directory.client("client_1") is None
