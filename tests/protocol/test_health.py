"""Whether the process lives, and whether it could issue a token."""

import pytest


def test_live(server):
    response = server.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_ready(server):
    response = server.get("/health/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_head_answers_too(server, path):
    response = server.request("HEAD", path)
    assert (response.status_code, response.content) == (200, b"")


def test_alive_but_not_ready_without_a_signing_key(fresh_installation):
    with fresh_installation.desk.store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM signing_keys")
    fresh_installation.services.keyring.drop()
    assert fresh_installation.http.get("/health").status_code == 200
    response = fresh_installation.http.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["status"] == "unavailable"


def test_alive_but_not_ready_without_a_database(fresh_installation):
    fresh_installation.services.store.engine.dispose()
    database = fresh_installation.directory / "keyturn.db"
    database.rename(database.with_suffix(".away"))
    database.mkdir()
    try:
        assert fresh_installation.http.get("/health").status_code == 200
        response = fresh_installation.http.get("/health/ready")
        assert response.status_code == 503
        assert "keyturn.db" not in response.text
    finally:
        database.rmdir()
        database.with_suffix(".away").rename(database)
    assert fresh_installation.http.get("/health/ready").status_code == 200
