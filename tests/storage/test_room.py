"""A database that takes no more: no room on its disk, or a file system that is read-only.

SQLite is told so by itself: the errors are those that it has for the real thing.
"""

import pytest
from sqlalchemy import event


@pytest.mark.parametrize(
    "limit",
    ["PRAGMA max_page_count = 1", "PRAGMA query_only = 1"],
    ids=["disk full", "read-only"],
)
def test_acts_are_refused_and_tokens_go_on(fresh_installation, limit):
    http = fresh_installation.http
    bearer = {"Authorization": f"Bearer {fresh_installation.api_key(['keyturn:*']).key}"}
    client = fresh_installation.client()
    engine = fresh_installation.services.store.engine

    def create(name):
        # Long enough to need a page of its own.
        new = {"name": name, "description": "x" * 1000, "scopes": []}
        for _ in range(20):
            answer = http.post("/v1/clients", headers=bearer, json=new)
            if answer.status_code != 201:
                break
        return answer

    assert create("before").status_code == 201
    engine.dispose()

    @event.listens_for(engine, "connect")
    def take_no_more(connection, _record):
        connection.execute(limit)

    refused = create("meanwhile")
    assert (refused.status_code, refused.json()["error"]["code"]) == (
        503,
        "temporarily_unavailable",
    )
    assert int(refused.headers["Retry-After"]) > 0
    asked = http.post("/oauth/token", auth=client, data={"grant_type": "client_credentials"})
    assert asked.status_code == 200
    assert http.get("/v1/clients", headers=bearer).status_code == 200
    event.remove(engine, "connect", take_no_more)
    engine.dispose()
    assert create("after").status_code == 201
