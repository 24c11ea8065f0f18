"""An engine that is always serializable: use cases that meet are tried again, not refused."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from app.admin import scopes
from app.admin.contention import until_settled
from app.errors import Contended
from tests.support.installation import installed

THREADS = 6


@pytest.fixture
def serializable(postgres_url, tmp_path):
    """PostgreSQL as strict as CockroachDB is by default."""
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(
            f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'"
        )
    with installed(tmp_path / "strict", postgres_url) as made:
        yield made


def test_parallel_use_cases_all_come_through(serializable):
    seen = []
    begin = threading.Barrier(THREADS)

    def declare(number):
        def act():
            try:
                return serializable.scope(f"area{number}:read")
            except Contended:
                seen.append(number)
                raise

        begin.wait()
        return until_settled(act)

    with ThreadPoolExecutor(THREADS) as pool:
        made = set(pool.map(declare, range(THREADS)))
    assert made == {f"area{number}:read" for number in range(THREADS)}
    assert seen, "nothing met: the test shows nothing"
    listed = scopes.list_page(serializable.desk, serializable.operator, limit=200)
    assert made <= {one.name for one in listed.data}


def test_giving_up_is_a_503_that_says_when():
    def act():
        raise Contended(retry_after=1)

    with pytest.raises(Contended) as refused:
        until_settled(act)
    assert refused.value.retry_after == 1
