"""Several threads of one process ship its journal."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

from sqlalchemy import event


def test_whoever_ships_waits_for_what_another_thread_is_shipping(fresh_installation):
    """Else who asks for what was written just now would not find it."""
    desk, store = fresh_installation.desk, fresh_installation.services.store
    shipper, writes = fresh_installation.services.shipper, threading.Event()
    desk.journal.viewed(
        fresh_installation.operator, "api_key", "key_seen", fresh_installation.organization_id
    )

    def ship_and_count():
        shipper.ship_now()
        [(count,)] = fresh_installation.rows(
            "SELECT count(*) FROM audit_events WHERE target_id = 'key_seen'"
        )
        return count

    with ThreadPoolExecutor(2) as threads:
        with store.begin():  # nobody else writes
            event.listen(store.engine, "checkout", lambda *_: writes.set())
            first = threads.submit(ship_and_count)
            assert writes.wait(30)
            second = threads.submit(ship_and_count)
            wait([second], timeout=0.5)  # for one that does not wait
        assert (first.result(), second.result()) == (1, 1)
