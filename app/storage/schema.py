"""Whether the database has the schema that this code was written for."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import OperationalError

from app.errors import StartRefused
from app.storage.store import Store

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def require_current(store: Store) -> None:
    """Raises StartRefused, saying what to do."""
    script = ScriptDirectory(str(MIGRATIONS))
    try:
        with store.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except OperationalError as error:
        raise StartRefused(f"The database cannot be opened: {error.orig}") from None
    if found == script.get_current_head():
        return
    if found is None:
        raise StartRefused("The database is empty: run `flask bootstrap` (or `make run`)")
    if found in {revision.revision for revision in script.walk_revisions()}:
        raise StartRefused("The database is of an older version: run `flask db upgrade`")
    raise StartRefused(
        "The database is of a newer version than this code: install that version again, or restore "
        "a backup from before the upgrade"
    )
