"""The shipping process of ``flask serve``: takes the journal to the database, beside the workers.

In a worker, shipping would take the interpreter from the requests, and several workers would stand
in line for SQLite's one writer. Workers here only end their segments; they ship by themselves what
has waited for so long that nobody else can be there (``Shipper.stand_by``).

The process is forked before the server listens, so it holds no socket. A first one does nothing
but start a second one again should that die; whoever is killed, nothing is lost.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select

from app.observe import metrics
from app.settings import forget_secrets
from app.wiring import Services

log = logging.getLogger(__name__)

NAME = "keyturn-shipper"
INTERVAL = 1.0
PATIENCE = 10.0
"""Seconds that a segment waits before a worker ships it."""
LAST = 10.0
"""Seconds that the last of the journal may take when the server ends; the rest is shipped at the
next start."""

_fork = multiprocessing.get_context("fork")


@contextmanager
def shipped_beside(found: Services) -> Iterator[None]:
    """Ship while the server runs, and what is left when it has ended."""
    lifeline, held = os.pipe()
    keeper = _fork.Process(target=_keep, args=(found, lifeline, held))
    keeper.start()
    os.close(lifeline)
    try:
        yield
    finally:
        os.close(held)
        keeper.join(LAST)
        keeper.kill()  # it is only waiting


def _keep(found: Services, lifeline: int, held: int) -> None:
    # Workers have inherited the other end: it is closed when all of them have ended, and only then
    # are there no more segments. A signal says nothing of that; it may go to all at once.
    os.close(held)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):  # not on macOS
        Path("/proc/self/comm").write_text(NAME)
    forget_secrets(os.environ)
    while True:
        process = _fork.Process(target=_ship, args=(found, lifeline))
        process.start()
        process.join()
        if process.exitcode == 0 or _is_closed(lifeline, INTERVAL):
            return
        log.error("the shipping process ended with %s; it is started again", process.exitcode)


def _ship(found: Services, lifeline: int) -> None:
    found.reporter.read_from(
        {
            metrics.SHIPPED: lambda: found.shipper.shipped,
            metrics.SHIPPING_FAILURES: lambda: found.shipper.failures,
        }
    )
    found.reporter.start()
    while not _is_closed(lifeline, INTERVAL):
        found.shipper.ship_now()
    found.shipper.ship_now()
    found.reporter.stop()
    logging.shutdown()


def _is_closed(lifeline: int, within: float) -> bool:
    return bool(select([lifeline], [], [], within)[0])
