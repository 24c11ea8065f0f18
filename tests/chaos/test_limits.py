"""A limit of N over three nodes lets N pass, whoever counts."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.chaos.cluster import NODES, Cluster
from tests.support.installation import installed

LIMIT = 25
ASKED = 75


@pytest.fixture(params=["redis", "database"])
def counting(request, tmp_path, postgres_url):
    """Three nodes that count together, in a day that hardly ends during the test."""
    limit = {"KEYTURN_TOKEN_RATE_LIMIT": f"{LIMIT}/day"}
    if request.param == "redis":
        limit["KEYTURN_REDIS_URL"] = request.getfixturevalue("redis_url")
    with (
        installed(tmp_path / "limits", postgres_url) as installation,
        Cluster(installation, workers=1, **limit).running() as nodes,
    ):
        yield nodes


def test_a_limit_is_one_over_all_nodes(counting):
    client = counting.installation.client()
    with ExitStack() as stack, ThreadPoolExecutor(NODES * 2) as pool:
        connections = [
            stack.enter_context(httpx.Client(base_url=node.url, timeout=20))
            for node in counting.nodes
        ]

        def ask(number):
            form = {"grant_type": "client_credentials"}
            return connections[number % NODES].post("/oauth/token", data=form, auth=client)

        answers = list(pool.map(ask, range(ASKED)))
    assert Counter(answer.status_code for answer in answers) == {200: LIMIT, 429: ASKED - LIMIT}
    for answer in answers:
        assert (answer.status_code == 429) == ("Retry-After" in answer.headers)
    tokens = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    assert len(set(tokens)) == LIMIT
