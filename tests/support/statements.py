"""What a request asks of the database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from tests.support.installation import Installation


@contextmanager
def statements(installation: Installation) -> Iterator[list[str]]:
    """The SQL that this thread sends while the block lasts; the background's is its own affair."""
    made: list[str] = []
    here = threading.get_ident()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.get_ident() == here:
            made.append(statement)

    engine = installation.services.store.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield made
    finally:
        event.remove(engine, "before_cursor_execute", note)
