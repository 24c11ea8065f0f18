"""Nudges between nodes make a poll come earlier; polling alone suffices."""

import threading

from sqlalchemy import create_engine, event

from app.storage.wake import Wake

LONG = 60.0


def _waiting(wake, stopping):
    listening = threading.Event()
    done = threading.Event()

    def run():
        if wake._supported:
            wake._listening()
        listening.set()
        wake.wait(stopping, LONG)
        done.set()

    threading.Thread(target=run, daemon=True).start()
    assert listening.wait(20)
    return done


def test_a_nudge_ends_the_wait(postgres_url):
    engine = create_engine(postgres_url)
    one, other = Wake(engine), Wake(engine)
    done = _waiting(one, threading.Event())
    other.send()
    assert done.wait(20)
    one.close()
    engine.dispose()


def test_sqlite_has_none_and_needs_none(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    wake, stopping = Wake(engine), threading.Event()
    wake.send()
    done = _waiting(wake, stopping)
    stopping.set()
    assert done.wait(20)


def test_an_engine_without_notifications_is_polled(postgres_url):
    engine = create_engine(postgres_url)

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def refuse(conn, cursor, statement, parameters, context, executemany):
        # What CockroachDB answers: a syntax error (42601).
        return statement.replace("NOTIFY", "NOTIFIES"), parameters

    wake = Wake(engine)
    wake.send()
    assert not wake._supported
    assert wake.wait(threading.Event(), 0.01) is False
    engine.dispose()


def test_a_lost_connection_is_made_again(postgres_url):
    engine = create_engine(postgres_url)
    wake = Wake(engine)
    wake._listening().close()
    assert wake.wait(threading.Event(), 0.01) is False
    done = _waiting(wake, threading.Event())
    Wake(engine).send()
    assert done.wait(20)
    wake.close()
    engine.dispose()
